//! In what order the calls of one socket, or of one batch, take effect.
//!
//! Calls that touch the same context take effect as they were sent; calls that touch different contexts wait for
//! nothing of each other. Among those that touch the same one, looks go side by side, and so do writes: whoever works
//! on the context takes writes in the order in which they were begun, and that is the order here. Everything else
//! waits for what came before it, and is waited for.
//!
//! ```text
//! taken ─ touch ┬ nothing ─────────────────────────────────► begun
//!               ├ one context ── its line: looks | writes | one alone ──► begun
//!               └ any context ── when all lines are empty; what came later waits behind it ──► begun
//! ```

use std::collections::{BTreeMap, VecDeque};

use mangrove_protocol::id::ContextId;

/// What a call touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Nothing that another call could change.
    Nothing,
    /// One context.
    One(ContextId, How),
    /// A context that is not there, or not yet.
    Missing,
    /// Which contexts there are, and what they are called.
    Any,
}

/// How a call touches a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It looks at it.
    Look,
    /// It hands a write to whoever works on it, as soon as it is begun.
    Write,
    /// Anything else.
    Alone,
}

/// The calls of one socket, or of one batch, that have not ended.
#[derive(Debug)]
pub(crate) struct Order<T> {
    lines: BTreeMap<ContextId, Line<T>>,
    /// One that touches any context, and whether it was begun.
    any: Option<Option<T>>,
    /// What came after it, and what it touches is not known before it has ended.
    behind: VecDeque<T>,
}

/// The calls that touch one context: those that were begun are alike, and those that wait came after them.
#[derive(Debug)]
struct Line<T> {
    how: How,
    begun: usize,
    waiting: VecDeque<(How, T)>,
}

impl<T> Default for Order<T> {
    fn default() -> Self {
        Self { lines: BTreeMap::new(), any: None, behind: VecDeque::new() }
    }
}

impl<T> Order<T> {
    /// A call came. It is given back, with what it touches, if it is to be begun now.
    pub(crate) fn take(&mut self, call: T, touch: impl Fn(&T) -> Touch) -> Option<(Touch, T)> {
        if self.any.is_some() {
            // What touches nothing is known before any name is looked up, and what is missing may be there then.
            return match touch(&call) {
                Touch::Nothing => Some((Touch::Nothing, call)),
                Touch::One(..) | Touch::Missing | Touch::Any => {
                    self.behind.push_back(call);
                    None
                }
            };
        }
        let touched = touch(&call);
        match touched {
            Touch::Nothing | Touch::Missing => Some((Touch::Nothing, call)),
            Touch::One(context, how) => self.queue(context, how, call),
            Touch::Any if self.lines.is_empty() => {
                self.any = Some(None);
                Some((touched, call))
            }
            Touch::Any => {
                self.any = Some(Some(call));
                None
            }
        }
    }

    fn queue(&mut self, context: ContextId, how: How, call: T) -> Option<(Touch, T)> {
        let line = self.lines.entry(context).or_insert_with(|| Line::new(how));
        let goes_along = line.waiting.is_empty() && line.takes(how);
        if goes_along {
            line.begun += 1;
            line.how = how;
            return Some((Touch::One(context, how), call));
        }
        line.waiting.push_back((how, call));
        None
    }

    /// A call has ended that touched this. Returns those that are to be begun now, in order.
    pub(crate) fn ended(&mut self, touched: Touch, touch: impl Fn(&T) -> Touch) -> Vec<(Touch, T)> {
        let mut next = Vec::new();
        match touched {
            Touch::Nothing | Touch::Missing => {}
            Touch::One(context, _) => self.advance(context, &mut next),
            Touch::Any => {
                self.any = None;
                // Up to the next that touches any context: that one waits for these.
                while self.any.is_none() {
                    let Some(call) = self.behind.pop_front() else { break };
                    next.extend(self.take(call, &touch));
                }
            }
        }
        if self.lines.is_empty() && next.is_empty() {
            let waiting = self.any.as_mut().and_then(Option::take);
            next.extend(waiting.map(|call| (Touch::Any, call)));
        }
        next
    }

    fn advance(&mut self, context: ContextId, next: &mut Vec<(Touch, T)>) {
        let Some(line) = self.lines.get_mut(&context) else { return };
        line.begun = line.begun.saturating_sub(1);
        while let Some((how, call)) = line.pop() {
            next.push((Touch::One(context, how), call));
        }
        if line.begun == 0 {
            self.lines.remove(&context);
        }
    }

    /// Whether nothing is in hand that touches a context.
    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.lines.is_empty() && self.any.is_none()
    }
}

impl<T> Line<T> {
    fn new(how: How) -> Self {
        Self { how, begun: 0, waiting: VecDeque::new() }
    }

    /// Whether such a call may go beside those that were begun.
    fn takes(&self, how: How) -> bool {
        self.begun == 0 || (self.how == how && how != How::Alone)
    }

    /// The next call, if it is to be begun now.
    fn pop(&mut self) -> Option<(How, T)> {
        let (how, _) = self.waiting.front()?;
        if !self.takes(*how) {
            return None;
        }
        let (how, call) = self.waiting.pop_front()?;
        (self.how, self.begun) = (how, self.begun + 1);
        Some((how, call))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A call: its place among all, and what it touches.
    type Call = (usize, Touch);

    fn touch(call: &Call) -> Touch {
        call.1
    }

    fn touches() -> impl Strategy<Value = Touch> {
        let how = prop_oneof![Just(How::Look), Just(How::Write), Just(How::Alone)];
        let context = (0..3_u8).prop_map(|id| ContextId::from_bytes([id; 32]));
        prop_oneof![
            1 => Just(Touch::Nothing),
            6 => (context, how).prop_map(|(context, how)| Touch::One(context, how)),
            1 => Just(Touch::Any),
        ]
    }

    /// Whether the later of two may be begun only once the earlier has ended.
    fn must_wait(earlier: Touch, later: Touch) -> bool {
        match (earlier, later) {
            (Touch::Nothing | Touch::Missing, _) | (_, Touch::Nothing) => false,
            (Touch::Any, _) | (_, Touch::Any) => true,
            (Touch::One(..), Touch::Missing) => false,
            (Touch::One(one, how), Touch::One(other, other_how)) => {
                one == other && (how != other_how || how == How::Alone)
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_and_ends_none_is_begun_before_what_it_waits_for_has_ended(
            calls in vec(touches(), 1..40),
            choices in vec((any::<bool>(), any::<usize>()), 120),
        ) {
            let mut order = Order::default();
            let (mut running, mut begun, mut ended) = (Vec::<Call>::new(), Vec::new(), Vec::new());
            let mut coming = calls.iter().copied().enumerate();
            let mut choices = choices.into_iter();
            loop {
                let (comes, which) = choices.next().unwrap_or((true, 0));
                let mut next = Vec::new();
                let call = if comes || running.is_empty() { coming.next() } else { None };
                if let Some(call) = call {
                    next.extend(order.take(call, touch));
                } else if running.is_empty() {
                    break;
                } else {
                    let (place, touched) = running.remove(which % running.len());
                    ended.push(place);
                    next = order.ended(touched, touch);
                }
                for (touched, call) in next {
                    prop_assert_eq!(touched, call.1);
                    for (earlier, other) in calls.iter().copied().enumerate().take(call.0) {
                        let waits = must_wait(other, call.1);
                        prop_assert!(!waits || ended.contains(&earlier), "{:?} before {}", call, earlier);
                        // Writes of one context are handed over in the order in which they came.
                        let same = other == call.1 && call.1 != Touch::Nothing;
                        prop_assert!(!same || begun.contains(&earlier), "{:?} before {}", call, earlier);
                    }
                    begun.push(call.0);
                    running.push(call);
                }
            }
            prop_assert_eq!(begun.len(), calls.len(), "some were never begun");
            prop_assert!(order.is_idle());
        }
    }
}
