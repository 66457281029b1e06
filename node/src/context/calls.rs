//! Those who wait for an answer of a context.

use std::collections::BTreeMap;

use mangrove_protocol::effect::{Decided, ReplyTo, Undecided};
use mangrove_protocol::request::{self, Written};

use crate::fault::Fault;
use crate::inbox::Reply;

/// Who waits for what.
#[derive(Debug)]
pub(super) enum Call {
    /// To have something written.
    Write(Reply<Result<Written, Fault>>),
    /// To have something decided.
    Decide(Reply<Result<Decided, Fault>>),
}

/// Those who wait for an answer, by the number under which they are answered.
#[derive(Debug, Default)]
pub(super) struct Calls {
    waiting: BTreeMap<ReplyTo, Call>,
    last: u64,
}

impl Calls {
    /// Somebody waits from now on.
    pub(super) fn wait(&mut self, call: Call) -> ReplyTo {
        self.last += 1;
        self.waiting.insert(ReplyTo(self.last), call);
        ReplyTo(self.last)
    }

    pub(super) fn written(&mut self, to: ReplyTo, answer: Result<Written, request::Fault>) {
        match self.waiting.remove(&to) {
            Some(Call::Write(reply)) => reply.send(answer.map_err(said)),
            Some(call) => drop(call),
            None => tracing::error!(call = to.0, "an answer for nobody"),
        }
    }

    pub(super) fn decided(&mut self, to: ReplyTo, answer: Result<Decided, Undecided>) {
        match self.waiting.remove(&to) {
            Some(Call::Decide(reply)) => reply.send(answer.map_err(|why| match why {
                Undecided::Busy => Fault::Busy,
                Undecided::Stopping => Fault::Stopping,
                why => Fault::Undecided(why),
            })),
            Some(call) => drop(call),
            None => tracing::error!(call = to.0, "an answer for nobody"),
        }
    }

    /// Nobody is going to be answered otherwise.
    pub(super) fn fail_all(&mut self, why: &Fault) {
        for (_, call) in std::mem::take(&mut self.waiting) {
            match call {
                Call::Write(reply) => reply.send(Err(why.clone())),
                Call::Decide(reply) => reply.send(Err(why.clone())),
            }
        }
    }
}

fn said(why: request::Fault) -> Fault {
    match why {
        request::Fault::Busy => Fault::Busy,
        request::Fault::Stopping => Fault::Stopping,
        why => Fault::Unwritten(why),
    }
}
