//! A delta in the making: what its author decides before it is sealed and signed.

use std::fmt;
use std::sync::Arc;

use super::header::{AES_NONCE_BYTES, Broken, Header, Sealing, VERSION, XCHACHA_NONCE_BYTES};
use super::{Authenticity, Delta, Parsed, signed_message};
use crate::clock::Hlc;
use crate::id::{ContextId, DeltaId, LogId, Seq, Tip};
use crate::keys::NodeKeys;
use crate::seal::{self, EpochKey, TAG_BYTES};
use crate::wire;

/// Which cipher closes a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Suite {
    /// AES-256-GCM-SIV.
    #[default]
    AesGcmSiv,
    /// XChaCha20-Poly1305.
    XChaCha,
}

impl Suite {
    fn sealing(self, key: &EpochKey, nonce: &[u8; XCHACHA_NONCE_BYTES]) -> Sealing {
        let epoch = key.id();
        match self {
            Self::AesGcmSiv => {
                let mut short = [0; AES_NONCE_BYTES];
                short.copy_from_slice(&nonce[..AES_NONCE_BYTES]);
                Sealing::AesGcmSiv { epoch, nonce: short }
            }
            Self::XChaCha => Sealing::XChaCha { epoch, nonce: *nonce },
        }
    }
}

/// What its author decides about a delta.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// The context; [`ContextId::ZERO`] to found one.
    pub context: ContextId,
    /// The log it continues.
    pub log: LogId,
    /// Its place there.
    pub seq: Seq,
    /// The delta before it; [`DeltaId::ZERO`] at the start.
    pub prev: DeltaId,
    /// Its other parents, ascending.
    pub deps: Vec<Tip>,
    /// The governance it is written under, ascending; `None` when it is as before.
    pub gov_heads: Option<Vec<Tip>>,
    /// When it is written.
    pub hlc: Hlc,
    /// The cipher, if it will be sealed.
    pub suite: Suite,
    /// What it says, in the clear.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, seq, payload, .. } = self;
        let (plane, author) = (log.plane, log.author);
        write!(f, "Draft({plane:?} of {author:?} {seq}, {} bytes)", payload.len())
    }
}

impl Draft {
    fn header(&self, seal: Sealing) -> Result<Header, Broken> {
        let tag = if seal == Sealing::Plain { 0 } else { TAG_BYTES };
        let bytes = self.payload.len().saturating_add(tag);
        let payload_len =
            u32::try_from(bytes).map_err(|_| Broken::TooLong { bytes: bytes as u64 })?;
        let header = Header {
            version: VERSION,
            context: self.context,
            log: self.log,
            seq: self.seq,
            prev: self.prev,
            deps: self.deps.clone(),
            gov_heads: self.gov_heads.clone(),
            hlc: self.hlc,
            seal,
            payload_len,
        };
        header.check()?;
        Ok(header)
    }
}

/// Makes a delta: checks its header, seals its payload under `epoch` if there is one, and signs it.
///
/// `nonce` must be fresh and random; the shorter suite takes the front of it. Fails with the first
/// rule that the delta would break.
pub fn seal_and_sign(
    draft: Draft,
    epoch: Option<&EpochKey>,
    nonce: [u8; XCHACHA_NONCE_BYTES],
    keys: &NodeKeys,
) -> Result<Delta, Broken> {
    if draft.log.author != keys.peer() {
        return Err(Broken::NotTheAuthor);
    }
    let sealing = epoch.map_or(Sealing::Plain, |key| draft.suite.sealing(key, &nonce));
    let header = draft.header(sealing)?;
    let mut bytes = wire::encode(&header);
    let payload = match epoch {
        Some(key) => seal::seal(&header, &bytes, draft.payload, key)?,
        None => draft.payload,
    };
    let header_len = bytes.len();
    bytes.extend_from_slice(&payload);
    let id = DeltaId::from_bytes(blake3::derive_key(super::ID_CONTEXT, &bytes));
    bytes.extend_from_slice(&keys.sign(&signed_message(id)));
    let parsed = Parsed { bytes: bytes.into(), header_len, header, id };
    Ok(Delta { parsed: Arc::new(parsed), authenticity: Authenticity::Signed })
}
