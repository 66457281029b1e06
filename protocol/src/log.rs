//! A log as this node knows it: a chain, or after a fork a tree, with tips.
//!
//! A vector says where all logs end, and its digest says it in 32 bytes. Two nodes with equal
//! digests hold the same deltas.

use std::collections::BTreeMap;

use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::id::{DeltaId, LogId, Seq};
use crate::wire::{self, Malformed};

/// Parts the digest of a vector from every other use of the same hash.
const DIGEST_CONTEXT: &str = "mangrove 2026 vector digest v1";

/// A fork with more tips than this grows no further here, unless others cite what it grows.
pub const TIPS_PER_LOG: usize = 16;

/// The ends of a log, ascending. More than one is evidence of a fork.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize)]
pub struct Tips(Vec<(Seq, DeltaId)>);

impl Tips {
    /// The ends.
    pub fn as_slice(&self) -> &[(Seq, DeltaId)] {
        &self.0
    }

    /// Whether the log holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there are several.
    pub fn is_forked(&self) -> bool {
        self.0.len() > 1
    }

    /// Takes in a delta that continues `prev`, which is in the log.
    pub fn extend(&mut self, prev: DeltaId, seq: Seq, id: DeltaId) {
        self.0.retain(|(_, tip)| *tip != prev);
        if let Err(at) = self.0.binary_search(&(seq, id)) {
            self.0.insert(at, (seq, id));
        }
    }

    /// Takes out a tip again; `prev` becomes one unless another delta continues it.
    pub fn withdraw(&mut self, id: DeltaId, prev: Option<(Seq, DeltaId)>) {
        self.0.retain(|(_, tip)| *tip != id);
        if let Some(prev) = prev
            && let Err(at) = self.0.binary_search(&prev)
        {
            self.0.insert(at, prev);
        }
    }
}

impl FromIterator<(Seq, DeltaId)> for Tips {
    fn from_iter<I: IntoIterator<Item = (Seq, DeltaId)>>(tips: I) -> Self {
        let mut tips = tips.into_iter().collect::<Vec<_>>();
        tips.sort_unstable();
        tips.dedup();
        Self(tips)
    }
}

impl BorshDeserialize for Tips {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        let tips = Vec::<(Seq, DeltaId)>::deserialize_reader(reader)?;
        if !tips.is_sorted_by(|left, right| left < right) {
            return Err(Malformed::NotCanonical { what: "tips" }.into());
        }
        Ok(Self(tips))
    }
}

/// What is known of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct LogRow {
    /// Where the stored deltas end: from the start up to here the chain is held.
    pub stored: Tips,
    /// Where the settled ones end: applied, or void.
    pub applied: Tips,
    /// Whether a delta of another member cites it.
    pub cited: bool,
}

/// Where all logs end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vector(pub BTreeMap<LogId, Vec<(Seq, DeltaId)>>);

impl Vector {
    /// What the logs hold by one of the two measures. Logs that hold nothing are left out.
    pub fn of<'a>(
        logs: impl IntoIterator<Item = (&'a LogId, &'a LogRow)>,
        measure: impl Fn(&LogRow) -> &Tips,
    ) -> Self {
        let ends = |(id, row): (&LogId, &LogRow)| (*id, measure(row).as_slice().to_vec());
        Self(logs.into_iter().map(ends).filter(|(_, tips)| !tips.is_empty()).collect())
    }

    /// A hash over the full ids of all tips, logs ascending and tips ascending within them.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(DIGEST_CONTEXT);
        for (log, tips) in &self.0 {
            hasher.update(&wire::encode(log));
            hasher.update(&(tips.len() as u64).to_le_bytes());
            for (seq, id) in tips {
                hasher.update(&seq.get().to_le_bytes());
                hasher.update(id.as_bytes());
            }
        }
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AuthorityId, Incarnation, PeerId, Plane};

    const fn id(byte: u8) -> DeltaId {
        DeltaId::from_bytes([byte; 32])
    }

    fn seq(number: u64) -> Seq {
        Seq::new(number).unwrap()
    }

    fn log(author: u8) -> LogId {
        LogId {
            author: PeerId::from_bytes([author; 32]),
            authority: AuthorityId::ZERO,
            incarnation: Incarnation::new(1),
            plane: Plane::Data,
        }
    }

    #[test]
    fn a_chain_has_one_tip_and_a_fork_has_one_for_each_branch() {
        let mut tips = Tips::default();
        tips.extend(DeltaId::ZERO, seq(1), id(1));
        tips.extend(id(1), seq(2), id(2));
        assert_eq!(tips.as_slice(), [(seq(2), id(2))]);
        assert!(!tips.is_forked());
        tips.extend(id(1), seq(2), id(3));
        tips.extend(id(2), seq(3), id(4));
        assert_eq!(tips.as_slice(), [(seq(2), id(3)), (seq(3), id(4))]);
        assert!(tips.is_forked());
        tips.withdraw(id(4), Some((seq(2), id(2))));
        assert_eq!(tips.as_slice(), [(seq(2), id(2)), (seq(2), id(3))]);
    }

    #[test]
    fn the_digest_is_the_one_of_version_1() {
        let hex = |digest: [u8; 32]| data_encoding::HEXLOWER.encode(&digest);
        let nothing = "5ea0670a3295981195e1dcad96441968fe3af63affecc4030ebe048aad78928b";
        assert_eq!(hex(Vector::default().digest()), nothing);
        let tips = vec![(seq(1), id(1)), (seq(2), id(2))];
        let two = "7b6750cd119d08d9a4eb1f87fa81edb02da6d0f82b323b4b73f8743288b44a3d";
        assert_eq!(hex(Vector([(log(1), tips)].into()).digest()), two);
    }

    #[test]
    fn the_digest_tells_every_difference() {
        let row = |tip: (Seq, DeltaId)| LogRow { stored: Tips(vec![tip]), ..LogRow::default() };
        let digest = |logs: &[(LogId, LogRow)]| {
            Vector::of(logs.iter().map(|(id, row)| (id, row)), |row| &row.stored).digest()
        };
        let one = [(log(1), row((seq(1), id(1))))];
        let others = [
            vec![],
            vec![(log(2), row((seq(1), id(1))))],
            vec![(log(1), row((seq(2), id(1))))],
            vec![(log(1), row((seq(1), id(2))))],
            vec![(log(1), row((seq(1), id(1)))), (log(2), row((seq(1), id(1))))],
        ];
        for other in &others {
            assert_ne!(digest(&one), digest(other));
        }
        let mut known_by_name_only = one.to_vec();
        known_by_name_only.push((log(3), LogRow { cited: true, ..LogRow::default() }));
        assert_eq!(digest(&one), digest(&known_by_name_only));
    }
}
