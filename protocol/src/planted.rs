//! Faults planted on purpose, by which the tests are tested: each named bug must turn one red.
//!
//! They exist in debug builds only; in a release build none can be planted.

use std::collections::BTreeSet;

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// Applies a delta before its parents.
    SkipParentCheck,
    /// Lets the order of arrival decide between writes.
    TieByArrival,
    /// Forgets which own deltas were not published yet.
    ForgetOutbox,
    /// Leaves the root as it was when a delta of another member is applied.
    StaleRoot,
    /// Takes deltas of any context.
    WrongContext,
    /// Begins the same incarnation again after everything was lost.
    ReuseIncarnation,
    /// Goes on taking what is beyond a cut-off.
    IgnoreCutOffs,
    /// Leaves state as it is when what was applied counts no more.
    SkipRebuild,
    /// Waits for what is beyond a cut-off.
    AwaitBeyond,
    /// Gives new keys to those who were members once.
    SealToRemoved,
    /// Writes under the key it got last, whoever can open it.
    WriteToAnybody,
    /// Goes on in the same log with another role.
    KeepAuthority,
    /// Forgets what a session was asked for when it ends.
    DropLease,
    /// Lets the end of an old session of a peer touch what a new one was asked for.
    IgnoreGenerations,
    /// Leaves what others wait for with whoever does not give it.
    NoRescue,
    /// Gives credit for more than there is room for.
    UnboundedCredit,
    /// Waits for ever for those who owe an answer.
    NoDeadline,
    /// Asks those who were silent again at once.
    NoParking,
    /// Asks a peer of whom nothing is known yet for as much as others.
    NoProbe,
    /// Writes down against a peer what this node did itself.
    BlameOthers,
    /// Asks without remembering for what.
    ForgetWants,
    /// Writes nothing down.
    ForgiveAll,
}

impl Bug {
    /// Those of sessions, which tests of sessions must find.
    pub const OF_SESSIONS: [Self; 10] = [
        Self::DropLease,
        Self::IgnoreGenerations,
        Self::NoRescue,
        Self::UnboundedCredit,
        Self::NoDeadline,
        Self::NoParking,
        Self::NoProbe,
        Self::BlameOthers,
        Self::ForgetWants,
        Self::ForgiveAll,
    ];

    /// All others, which campaigns must find.
    pub const ALL: [Self; 12] = [
        Self::SkipParentCheck,
        Self::TieByArrival,
        Self::ForgetOutbox,
        Self::StaleRoot,
        Self::WrongContext,
        Self::ReuseIncarnation,
        Self::IgnoreCutOffs,
        Self::SkipRebuild,
        Self::AwaitBeyond,
        Self::SealToRemoved,
        Self::WriteToAnybody,
        Self::KeepAuthority,
    ];
}

/// The bugs that are planted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Planted(BTreeSet<Bug>);

impl Planted {
    /// These bugs; in a release build, none.
    pub fn bugs(bugs: impl IntoIterator<Item = Bug>) -> Self {
        Self(bugs.into_iter().filter(|_| cfg!(debug_assertions)).collect())
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        cfg!(debug_assertions) && self.0.contains(&bug)
    }
}
