//! How the mesh is tuned.

use std::time::Duration;

use libp2p::gossipsub::{
    Behaviour, Config, ConfigBuilder, MaxCountSubscriptionFilter, Message, MessageAuthenticity,
    MessageId, MetricsConfig, PeerScoreParams, PeerScoreThresholds, ValidationMode,
};
use libp2p::identity::Keypair;
use mangrove_config::network::{Authorship, Network, Profile};
use prometheus_client::registry::Registry;

use super::sieve::{OurNames, Sieve};

/// Topics that a node may be on. All of them have to fit into one message.
pub const MOST_TOPICS: usize = 4_000;
/// Bytes of a message's name on the mesh.
const NAME: usize = 20;
/// Bytes of everything that is said to a peer at once: the longest message, and what goes around it.
const MOST_BYTES: usize = 320 * 1024;
/// How long a message may be judged and still be handed on.
const JUDGED_WITHIN: Duration = Duration::from_secs(10);
/// Messages that wait for one peer to take them. More are dropped, and counted.
const QUEUE: usize = 256;

/// The mesh.
pub(crate) type Gossip = Behaviour<Sieve, MaxCountSubscriptionFilter<OurNames>>;

/// The mesh as it is set up here. The error is in the tuning itself.
pub(crate) fn behaviour(
    keypair: &Keypair,
    settings: &Network,
    sieve: &Sieve,
    registry: &mut Registry,
) -> Result<Gossip, String> {
    let (author, validation) = match settings.authorship {
        Authorship::Anonymous => (MessageAuthenticity::Anonymous, ValidationMode::Anonymous),
        Authorship::Signed => {
            (MessageAuthenticity::Signed(keypair.clone()), ValidationMode::Strict)
        }
    };
    let config = tuning(settings.profile, validation).map_err(|why| why.to_string())?;
    let filter = MaxCountSubscriptionFilter {
        filter: OurNames,
        max_subscribed_topics: MOST_TOPICS,
        max_subscriptions_per_request: MOST_TOPICS,
    };
    let (sieve, metrics_of) = (sieve.clone(), registry.sub_registry_with_prefix("gossipsub"));
    let mut gossip =
        Behaviour::new_with_subscription_filter_and_transform(author, config, filter, sieve)?;
    // No labels by topic: their number has no bound, and they tell who shares what.
    let metrics =
        MetricsConfig { max_topics: 0, max_never_subscribed_topics: 0, ..MetricsConfig::default() };
    gossip = gossip.with_metrics(metrics_of, metrics);
    gossip.with_peer_score(without_weight(), PeerScoreThresholds::default())?;
    Ok(gossip)
}

/// Nobody is scored: among a few peers that would do more harm than good. But only with scores are
/// promises forgotten that somebody made and did not keep.
fn without_weight() -> PeerScoreParams {
    PeerScoreParams {
        app_specific_weight: 0.0,
        ip_colocation_factor_weight: 0.0,
        behaviour_penalty_weight: 0.0,
        slow_peer_weight: 0.0,
        retain_score: Duration::from_secs(1),
        ..PeerScoreParams::default()
    }
}

fn tuning(
    profile: Profile,
    validation: ValidationMode,
) -> Result<Config, libp2p::gossipsub::ConfigBuilderError> {
    let heartbeat = match profile {
        Profile::Lan | Profile::Server => Duration::from_secs(1),
        Profile::Test => Duration::from_millis(200),
    };
    let beats = JUDGED_WITHIN.as_millis().div_ceil(heartbeat.as_millis());
    ConfigBuilder::default()
        .validate_messages()
        .validation_mode(validation)
        .message_id_fn(name_of)
        .max_transmit_size(MOST_BYTES)
        // Who meets a peer says all its topics at once, and that counts as one such message. The
        // default is reached with 250 topics, and whoever says more is not heard at all.
        .max_control_message_size(MOST_BYTES)
        .heartbeat_interval(heartbeat)
        .heartbeat_initial_delay(heartbeat)
        .history_length(usize::try_from(beats).unwrap_or(10))
        .history_gossip(3)
        .duplicate_cache_time(Duration::from_secs(120))
        .flood_publish(true)
        // Who leaves a topic and comes back is let in at once.
        .unsubscribe_backoff(Duration::from_secs(1))
        .idontwant_message_size_threshold(1_000)
        .connection_handler_queue_len(QUEUE)
        .build()
}

/// A message is named after what it says, and where: the same words on another topic must not hide
/// it. Foreign peers have to name it the same way.
fn name_of(message: &Message) -> MessageId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(message.topic.as_str().as_bytes());
    hasher.update(&message.data);
    MessageId::new(hasher.finalize().as_bytes().get(..NAME).unwrap_or_default())
}
