//! What takes its time of what contexts want, begun.

use std::sync::Arc;
use std::time::Duration;

use mangrove_network::Why;
use mangrove_protocol::gossip::Topic;
use mangrove_protocol::id::ContextId;
use mangrove_protocol::view::Batch;
use mangrove_store::{Health, NotTaken, Pen, Receipt, WriteError};
use tokio::time::sleep;

use super::flights::Order;
use super::message::{Landing, Message};
use super::outside::{Outside, Want};
use super::shard::Shard;
use crate::drive::{self, Begun};

/// How long it takes to look again whether somebody else still has a pen.
const TAKEN: Duration = Duration::from_millis(2);

/// What carries out what contexts want.
pub(crate) struct Hands(pub(crate) Outside);

impl drive::Hands<Shard> for Hands {
    fn carry_out(&mut self, want: Want) -> Option<Begun<Message>> {
        let outside = self.0.clone();
        Some(match want {
            Want::Pen(context, life, after_ms) => {
                let fallen = Message::Pen(context, life, Err("taking a pen panicked".into()));
                let work = async move {
                    let pen = pen(&outside, context, Duration::from_millis(after_ms)).await;
                    Message::Pen(context, life, Ok(pen))
                };
                Begun::new("pen", work, fallen)
            }
            Want::Commit(context, life, pen, Order { batch, must_sync }) => {
                let fallen = Message::Landed(context, life, Landing::Fell);
                let work = async move {
                    let landing = commit(&pen, &batch, must_sync).await;
                    // Whoever is told may want to forget the context, which takes the pen whole.
                    drop(pen);
                    Message::Landed(context, life, landing)
                };
                Begun::new("commit", work, fallen)
            }
            Want::Enter(context) => {
                let work = async move {
                    if !outside.network.join(Topic::of(context)).await {
                        tracing::error!(%context, "on too many topics: this context is not heard of");
                    }
                    Message::Done("entered")
                };
                Begun::new("enter", work, Message::Done("entered"))
            }
            Want::Leave(context) => {
                let work = async move {
                    outside.network.leave(Topic::of(context)).await;
                    Message::Done("left")
                };
                Begun::new("leave", work, Message::Done("left"))
            }
            Want::Meet(new, gone) => {
                let work = async move {
                    for peer in new {
                        outside.network.want(peer, Why::Member).await;
                    }
                    for peer in gone {
                        outside.network.unwant(peer, Why::Member).await;
                    }
                    Message::Done("met")
                };
                Begun::new("meet", work, Message::Done("met"))
            }
            Want::Forgotten(context, life, receipt) => {
                let fell = || WriteError::Failed("the wait panicked".to_owned());
                let fallen = Message::Forgotten(context, life, Err(fell()));
                let work =
                    async move { Message::Forgotten(context, life, receipt.await.map(drop)) };
                Begun::new("forget", work, fallen)
            }
            Want::Trimmed(context, receipt) => {
                let work = async move {
                    if let Err(why) = receipt.await {
                        tracing::warn!(%context, %why, "the feed was not trimmed");
                    }
                    Message::Done("trimmed")
                };
                Begun::new("trim", work, Message::Done("trimmed"))
            }
        })
    }
}

/// The pen of a context, once nobody else has it and the store takes commits.
async fn pen(outside: &Outside, context: ContextId, after: Duration) -> Pen {
    sleep(after).await;
    let mut health = outside.reader.watch();
    if !after.is_zero() {
        // A store that is gone lets nobody go on, and the node ends.
        health.wait_for(|health| *health != Health::Full).await.ok();
    }
    loop {
        match outside.pens.pen(context) {
            Ok(pen) => return pen,
            Err(_) => sleep(TAKEN).await,
        }
    }
}

async fn commit(pen: &Arc<Pen>, batch: &Batch, must_sync: bool) -> Landing {
    let receipt = loop {
        match pen.commit_in_turn(batch, must_sync).await {
            Ok(receipt) => break receipt,
            Err(NotTaken::Refused(why)) => return Landing::Refused(why),
            // Some of the feed is being forgotten by the same pen.
            Err(_) => sleep(TAKEN).await,
        }
    };
    receipt.await.map_or_else(Landing::Refused, Landing::Durable)
}

/// Forgets the beginning of a feed, if there is anything to forget.
pub(super) fn trim(pen: &Arc<Pen>, context: ContextId, outside: &Outside) -> Option<Receipt> {
    let end = outside.reader.begin().ok()?.context(&context).ok()?.feed_end().ok()?;
    let before = outside.keep.from(end.next);
    let trimmed = pen.trim_feed(before, &outside.reader);
    trimmed.inspect_err(|why| tracing::debug!(%context, %why, "not trimmed")).ok()?
}
