//! How a context begins.

use super::Entropy;
use crate::clock::Hlc;
use crate::delta::{Broken, Delta, Draft, Suite, XCHACHA_NONCE_BYTES, seal_and_sign};
use crate::governance::{Act, Keyring, Roster, SignedKem};
use crate::id::{AuthorityId, ContextId, DeltaId, Incarnation, LogId, Plane, Seq};
use crate::keys::NodeKeys;
use crate::seal::{EPOCH_KEY_BYTES, EpochKey, NAME_NONCE_BYTES, seal_name};

/// Founds a context with a name: its genesis, which confers everything on this node, and its first
/// epoch. The id of the context is that of the genesis.
///
/// They are given to a replica of that context as deltas that arrive from this node itself.
pub fn found(
    keys: &NodeKeys,
    name: &str,
    now_ms: u64,
    entropy: &mut impl Entropy,
) -> Result<Vec<Delta>, Broken> {
    let (mut fresh, mut nonce, mut life) = ([0; EPOCH_KEY_BYTES], [0; NAME_NONCE_BYTES], [0; 8]);
    entropy.fill(&mut fresh);
    entropy.fill(&mut nonce);
    entropy.fill(&mut life);
    let first = EpochKey::from_bytes(fresh);
    let me = keys.peer();
    let kem = SignedKem { key: *keys.kem_public().as_bytes(), signature: keys.sign_kem() };
    let mut draft = Draft {
        context: ContextId::ZERO,
        log: LogId {
            author: me,
            authority: AuthorityId::ZERO,
            incarnation: Incarnation::new(u64::from_le_bytes(life)),
            plane: Plane::Governance,
        },
        seq: Seq::FIRST,
        prev: DeltaId::ZERO,
        deps: Vec::new(),
        gov_heads: None,
        hlc: Hlc::new(now_ms, 0),
        suite: Suite::AesGcmSiv,
        payload: Act::Genesis { name: seal_name(name, &first, nonce), kem }.encode(),
    };
    let unsealed = [0; XCHACHA_NONCE_BYTES];
    let genesis = seal_and_sign(draft.clone(), None, unsealed, keys)?;
    let context = ContextId::from(genesis.id());
    let members = [(me, keys.kem_public())].into();
    let (_, rotation) = Keyring::default().rotation(&Roster::new(context), &members, fresh);
    draft.context = context;
    draft.log.authority = genesis.id().into();
    draft.deps = vec![genesis.tip()];
    draft.hlc = Hlc::new(now_ms, 1);
    draft.payload = Act::Rotate(rotation).encode();
    let rotate = seal_and_sign(draft, None, unsealed, keys)?;
    Ok(vec![genesis, rotate])
}
