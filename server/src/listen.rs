//! Listening to a context: what its feed says, how it is, and who is present.

use std::collections::VecDeque;
use std::sync::Arc;

use mangrove_node::directory::{Entry, Facts, State};
use mangrove_node::hub::{Closed, Delivery, Ended, Subscription};
use mangrove_node::{Cursor, Fault, Handle, Presence, Since};
use mangrove_protocol::id::ContextId;
use tokio::sync::{broadcast, watch};

use crate::item::{self, Item};
use crate::rpc::Error;
use crate::shape::{Event, FeedItem, Json};

/// Entries of the feed that are told at a time.
const AT_A_TIME: usize = 64;

/// Somebody who listens to a context.
pub(crate) struct Listening {
    context: ContextId,
    feed: Subscription,
    facts: watch::Receiver<Facts>,
    /// How the context was when that was told last.
    state: State,
    prefix: String,
    presence: Option<broadcast::Receiver<Presence>>,
}

/// What is told.
#[derive(Debug)]
pub(crate) enum Told {
    /// What has happened, in order.
    Happened(VecDeque<Item>),
    /// Who says to be at what.
    Present {
        /// Who.
        member: String,
        /// At what.
        state: Json,
    },
    /// Nothing more. A reason is for those who should not come back with their cursor.
    Over(Option<Item>),
}

/// How somebody listens.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// From where on.
    pub(crate) since: Since,
    /// To keys that begin so.
    pub(crate) prefix: String,
    /// Whether to who is present, too.
    pub(crate) presence: bool,
}

impl Listening {
    /// Listens from now on. What happens meanwhile is not missed.
    pub(crate) fn begin(node: &Handle, entry: &Entry, wish: Wish) -> Result<Self, Error> {
        let context = entry.context();
        // Before the feed, so that no change falls in between.
        let facts = entry.watch();
        let presence = wish.presence.then(|| entry.presence());
        let feed = node.hub().subscribe(context, wish.since).map_err(Fault::from)?;
        let state = facts.borrow().state;
        Ok(Self { context, feed, facts, state, prefix: wish.prefix, presence })
    }

    pub(crate) const fn context(&self) -> ContextId {
        self.context
    }

    /// Waits for what comes next. Whoever gives up waiting has lost nothing.
    pub(crate) async fn next(&mut self) -> Told {
        loop {
            let cursor = self.feed.cursor();
            tokio::select! {
                biased;
                told = self.feed.next(AT_A_TIME) => match told {
                    Ok(delivery) => {
                        let happened = self.happened(&delivery);
                        if !happened.is_empty() {
                            return Told::Happened(happened);
                        }
                    }
                    Err(why) => return Told::Over(self.over(&why, cursor)),
                },
                state = changed(&mut self.facts, self.state) => {
                    let Some((state, why)) = state else { return Told::Over(None) };
                    self.state = state;
                    let event = Event::state(state, why.as_deref());
                    let item = FeedItem::of(self.context, cursor, event);
                    return Told::Happened([Item::from(&item)].into());
                }
                present = present(&mut self.presence) => {
                    let state = match present.state.as_slice() {
                        [] => Json::told(&()),
                        state => Json::of(state),
                    };
                    return Told::Present { member: present.member.to_string(), state };
                }
            }
        }
    }

    fn happened(&self, delivery: &Delivery) -> VecDeque<Item> {
        let generation = delivery.cursor.generation;
        let gap = delivery.gap.as_ref();
        let gap = gap.map(|gap| FeedItem::of(self.context, gap.from, Event::gap()));
        let items = delivery.items.iter().filter_map(|(position, item)| {
            let at = Cursor { generation, next: position + 1 };
            item::once((self.context, at), &self.prefix, || {
                Some(FeedItem::of(self.context, at, Event::of(item, &self.prefix)?))
            })
        });
        gap.as_ref().map(Item::from).into_iter().chain(items).collect()
    }

    fn over(&self, why: &Ended, cursor: Cursor) -> Option<Item> {
        let why = match why {
            // Whoever listens comes back, with the cursor that it has.
            Ended::Closed(Closed::Stopping) => return None,
            Ended::Closed(Closed::Forgotten) => "the context was forgotten",
            Ended::Unreadable(_) => "the feed cannot be read",
        };
        Some(Item::from(&FeedItem::of(self.context, cursor, Event::Gap { why })))
    }
}

/// Until a context is another way than it was.
async fn changed(
    facts: &mut watch::Receiver<Facts>,
    before: State,
) -> Option<(State, Option<Arc<str>>)> {
    let facts = facts.wait_for(|facts| facts.state != before).await.ok()?;
    Some((facts.state, facts.why.clone()))
}

/// Until somebody says to be present. What came too fast is passed over: it comes again.
async fn present(told: &mut Option<broadcast::Receiver<Presence>>) -> Presence {
    let Some(receiver) = told else { return std::future::pending().await };
    loop {
        match receiver.recv().await {
            Ok(present) => return present,
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}
