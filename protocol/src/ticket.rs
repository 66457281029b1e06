//! Tickets: what lets somebody in, as a text to be sent, read out or typed.
//!
//! ```text
//! mangrove1 GROUP GROUP … GROUP     without spaces; a group is up to 24 characters and 3 of check
//! ```
//! The characters are lowercase base32. Each group is checked by itself, with its place among the
//! others, so that a slip is not only noticed but found.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use data_encoding::BASE32_NOPAD;
use ed25519_dalek::SigningKey;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::id::{ContextId, DeltaId, PeerId};
use crate::wire::{self, Malformed};

/// How every ticket begins; the digit is the version of its grouping.
const PREFIX: &str = "mangrove1";
const CHECK_CONTEXT: &str = "mangrove 2026 ticket group v1";
const GROUP: usize = 24;
const CHECK: usize = 3;
/// A longer text is something else.
const MAX_CHARACTERS: usize = 8 * 1024;
/// Addresses that a ticket may carry.
pub const MAX_ADDRESSES: usize = 16;
/// Bytes of one address.
pub const MAX_ADDRESS_BYTES: usize = 256;
/// The version of what a ticket holds.
const VERSION: u8 = 1;

/// What lets somebody in. Whoever holds it can use it, so it is never printed by accident.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Ticket {
    /// The context.
    #[zeroize(skip)]
    pub context: ContextId,
    /// The invite that it redeems.
    #[zeroize(skip)]
    pub invite: DeltaId,
    /// The invite's signing key.
    pub secret: [u8; 32],
    /// Who issued it.
    #[zeroize(skip)]
    pub inviter: PeerId,
    /// Where the issuer, or others of the context, can be met, as multiaddresses.
    #[zeroize(skip)]
    pub addresses: Vec<String>,
    /// Until when the issuer lets somebody in by it, in Unix ms.
    #[zeroize(skip)]
    pub expires_at_ms: u64,
}

/// Why a text is no ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// It begins otherwise.
    #[error("a ticket begins with {PREFIX}")]
    Prefix,
    /// A character that no ticket has.
    #[error("character {at}, `{found}`, is not part of a ticket")]
    Character {
        /// Where, counted from 1.
        at: usize,
        /// What stands there.
        found: char,
    },
    /// A slip within these characters.
    #[error("there is a slip in characters {from} to {to}: `{text}`")]
    Slip {
        /// The first of them, counted from 1.
        from: usize,
        /// The last.
        to: usize,
        /// What stands there.
        text: String,
    },
    /// Something is missing at its end, or was added there.
    #[error("the ticket is not complete")]
    Incomplete,
    /// A later version of the program made it.
    #[error("the ticket is of version {0}, this program knows {VERSION}")]
    Version(u8),
    /// Its characters are right, but they hold no ticket.
    #[error("the ticket cannot be read: {0}")]
    Malformed(Malformed),
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Body {
    context: ContextId,
    invite: DeltaId,
    secret: [u8; 32],
    inviter: PeerId,
    expires_at_ms: u64,
    addresses: Vec<Address>,
}

#[derive(BorshSerialize)]
struct Address(String);

impl BorshDeserialize for Address {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        wire::read_text(reader, MAX_ADDRESS_BYTES as u64, "address").map(Self)
    }
}

/// The public half of a ticket's secret, which the invite names. The secret must be random.
pub fn public_key(secret: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(secret).verifying_key().to_bytes()
}

impl Ticket {
    /// The ticket as the text to be sent.
    pub fn to_text(&self) -> String {
        let addresses = self.addresses.iter().take(MAX_ADDRESSES);
        let addresses = addresses.filter(|address| address.len() <= MAX_ADDRESS_BYTES);
        let body = Body {
            context: self.context,
            invite: self.invite,
            secret: self.secret,
            inviter: self.inviter,
            expires_at_ms: self.expires_at_ms,
            addresses: addresses.cloned().map(Address).collect(),
        };
        let bytes = wire::encode(&(VERSION, body));
        let characters = BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
        let mut text = PREFIX.to_owned();
        let groups = characters.as_bytes().chunks(GROUP);
        let last = groups.len().saturating_sub(1);
        for (at, group) in groups.enumerate() {
            text.push_str(&String::from_utf8_lossy(group));
            text.push_str(&check(at, at == last, group));
        }
        text
    }
}

impl FromStr for Ticket {
    type Err = Unusable;

    fn from_str(text: &str) -> Result<Self, Unusable> {
        let text = text.trim();
        let characters = text.strip_prefix(PREFIX).ok_or(Unusable::Prefix)?;
        if text.len() > MAX_CHARACTERS {
            return Err(Unusable::Incomplete);
        }
        let alien = |c: &char| !matches!(c, 'a'..='z' | '2'..='7');
        let found = text.chars().enumerate().skip(PREFIX.len()).find(|(_, c)| alien(c));
        if let Some((at, found)) = found {
            return Err(Unusable::Character { at: at + 1, found });
        }
        let characters = ungroup(characters.as_bytes())?;
        let bytes = BASE32_NOPAD.decode(characters.to_ascii_uppercase().as_slice());
        let bytes = bytes.map_err(|_| Unusable::Incomplete)?;
        match bytes.split_first() {
            Some((&VERSION, body)) => read(body),
            Some((&version, _)) => Err(Unusable::Version(version)),
            None => Err(Unusable::Incomplete),
        }
    }
}

fn read(body: &[u8]) -> Result<Ticket, Unusable> {
    let body = wire::decode::<Body>(body, MAX_CHARACTERS as u64).map_err(Unusable::Malformed)?;
    if body.addresses.len() > MAX_ADDRESSES {
        let max = MAX_ADDRESSES as u64;
        return Err(Unusable::Malformed(Malformed::OverLimit { what: "addresses", max }));
    }
    Ok(Ticket {
        context: body.context,
        invite: body.invite,
        secret: body.secret,
        inviter: body.inviter,
        addresses: body.addresses.into_iter().map(|address| address.0).collect(),
        expires_at_ms: body.expires_at_ms,
    })
}

/// What the groups hold, all of them checked.
fn ungroup(text: &[u8]) -> Result<Vec<u8>, Unusable> {
    let groups = text.chunks(GROUP + CHECK);
    let last = groups.len().saturating_sub(1);
    let mut characters = Vec::with_capacity(text.len());
    for (at, group) in groups.enumerate() {
        let Some((body, found)) = group.split_last_chunk::<CHECK>() else {
            return Err(Unusable::Incomplete);
        };
        if check(at, at == last, body).as_bytes() != found {
            let cut = at == last && check(at, false, body).as_bytes() == found;
            let longer = check(at, true, body).as_bytes() == found;
            if cut || longer {
                return Err(Unusable::Incomplete);
            }
            let from = PREFIX.len() + at * (GROUP + CHECK) + 1;
            let text = String::from_utf8_lossy(group).into_owned();
            return Err(Unusable::Slip { from, to: from + group.len() - 1, text });
        }
        characters.extend_from_slice(body);
    }
    if characters.is_empty() { Err(Unusable::Incomplete) } else { Ok(characters) }
}

/// The check of a group: it knows its place, and whether it is the last.
fn check(at: usize, last: bool, group: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key(CHECK_CONTEXT);
    hasher.update(&(at as u64).to_le_bytes()).update(&[u8::from(last)]).update(group);
    let mut bytes = [0; 2];
    hasher.finalize_xof().fill(&mut bytes);
    // 15 of the 16 bits are 3 characters; the fourth, of the one bit left, is dropped.
    let mut text = BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
    text.truncate(CHECK);
    text
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({:?}, issued by {:?})", self.context, self.inviter)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            context: ContextId::from_bytes([1; 32]),
            invite: DeltaId::from_bytes([2; 32]),
            secret: [3; 32],
            inviter: PeerId::from_bytes([4; 32]),
            addresses: vec!["/ip4/192.0.2.7/tcp/2771".to_owned()],
            expires_at_ms: 1_767_225_600_000,
        }
    }

    #[test]
    fn a_ticket_has_the_text_of_version_1() {
        let digest =
            data_encoding::HEXLOWER.encode(blake3::hash(ticket().to_text().as_bytes()).as_bytes());
        assert_eq!(digest, "e27d39de468543c98918c00fb5a1a909d3611d10bcabbb074b904084c78e86cf");
        assert!(ticket().to_text().starts_with("mangrove1ae"), "{}", ticket().to_text());
    }

    #[test]
    fn a_mistyped_character_is_found_within_its_group() {
        let good = ticket().to_text();
        for at in PREFIX.len()..good.len() {
            let old = good.as_bytes()[at];
            let new = if old == b'q' { b'r' } else { b'q' };
            let mut bent = good.clone().into_bytes();
            bent[at] = new;
            match String::from_utf8(bent).unwrap().parse::<Ticket>() {
                Err(Unusable::Slip { from, to, .. }) => {
                    assert!((from..=to).contains(&(at + 1)), "{at} is not in {from}..={to}");
                }
                other => panic!("character {at}: {other:?}"),
            }
        }
    }

    #[test]
    fn characters_that_no_ticket_has_are_named() {
        let good = ticket().to_text();
        let bent = format!("{}0{}", good.get(..20).unwrap(), good.get(21..).unwrap());
        assert_eq!(bent.parse::<Ticket>(), Err(Unusable::Character { at: 21, found: '0' }));
        let bent = good.to_uppercase().replacen("MANGROVE1", "mangrove1", 1);
        assert!(matches!(bent.parse::<Ticket>(), Err(Unusable::Character { at: 10, .. })));
    }

    #[test]
    fn a_cut_or_lengthened_ticket_is_refused() {
        let good = ticket().to_text();
        for end in 0..good.len() {
            assert!(good.get(..end).unwrap().parse::<Ticket>().is_err(), "cut at {end}");
        }
        let group_end = PREFIX.len() + GROUP + CHECK;
        let cut = good.get(..group_end).unwrap();
        assert_eq!(cut.parse::<Ticket>(), Err(Unusable::Incomplete));
        assert!(format!("{good}a").parse::<Ticket>().is_err());
        assert!(format!("{good}{}", good.get(9..).unwrap()).parse::<Ticket>().is_err());
        assert_eq!("".parse::<Ticket>(), Err(Unusable::Prefix));
        assert_eq!("mangrove2abc".parse::<Ticket>(), Err(Unusable::Prefix));
        assert_eq!(PREFIX.parse::<Ticket>(), Err(Unusable::Incomplete));
    }

    #[test]
    fn swapped_groups_are_noticed() {
        let good = ticket().to_text();
        let group = GROUP + CHECK;
        let (first, rest) = good.get(PREFIX.len()..).unwrap().split_at(group);
        let (second, rest) = rest.split_at(group);
        let swapped = format!("{PREFIX}{second}{first}{rest}");
        assert!(matches!(swapped.parse::<Ticket>(), Err(Unusable::Slip { from: 10, .. })));
    }

    #[test]
    fn a_ticket_is_never_printed_by_accident() {
        let printed = format!("{:?}", ticket());
        assert!(!printed.contains("secret") && printed.len() < 80, "{printed}");
    }

    proptest! {
        #[test]
        fn a_ticket_reads_back(
            ids: [[u8; 32]; 4],
            addresses in vec("[a-z0-9/.]{0,60}", 0..MAX_ADDRESSES),
            expires_at_ms: u64,
        ) {
            let [context, invite, secret, inviter] = ids;
            let ticket = Ticket {
                context: ContextId::from_bytes(context),
                invite: DeltaId::from_bytes(invite),
                secret,
                inviter: PeerId::from_bytes(inviter),
                addresses,
                expires_at_ms,
            };
            let text = format!(" {}\n", ticket.to_text());
            prop_assert_eq!(text.parse(), Ok(ticket));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(mangrove1)?[a-z2-7]{0,300}") {
            let _read = text.parse::<Ticket>().is_ok();
        }
    }
}
