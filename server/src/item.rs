//! What is told of a feed, as text: made once for all who are told the same.
//!
//! A thousand may listen to one context. Each of them is told each item by itself, at its own pace; the text of it is the
//! same for all whose prefix is.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use mangrove_node::Cursor;
use mangrove_protocol::id::ContextId;

use crate::shape::FeedItem;

/// Texts that are kept, of each thread. More than that are not told at a time.
const MOST: usize = 64;
/// Bytes of them.
const MOST_BYTES: usize = 256 << 10;

/// An item of a feed, as text. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// From where on everything is news to whoever has been told this.
    pub(crate) cursor: Rc<str>,
    /// The item.
    pub(crate) json: Rc<str>,
}

impl From<&FeedItem> for Item {
    fn from(item: &FeedItem) -> Self {
        let json = serde_json::to_string(item).unwrap_or_default();
        Self { cursor: item.cursor().into(), json: json.into() }
    }
}

/// Of which item a text is, and for whom. What lies at a place in a feed never changes.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    context: ContextId,
    at: Cursor,
    prefix: Box<str>,
}

/// The texts that were made last, and what was of no interest.
#[derive(Debug, Default)]
struct Texts {
    kept: VecDeque<(Key, Option<Item>)>,
    bytes: usize,
}

impl Texts {
    fn find(&self, context: ContextId, at: Cursor, prefix: &str) -> Option<&Option<Item>> {
        let is_it = |key: &Key| key.at == at && key.context == context && *key.prefix == *prefix;
        // Who listens is told the last of them.
        self.kept.iter().rev().find(|(key, _)| is_it(key)).map(|(_, said)| said)
    }

    fn keep(&mut self, key: Key, said: Option<Item>) {
        let bytes = weight(&key, said.as_ref());
        if bytes > MOST_BYTES {
            return;
        }
        self.bytes += bytes;
        self.kept.push_back((key, said));
        while self.kept.len() > MOST || self.bytes > MOST_BYTES {
            let Some((key, said)) = self.kept.pop_front() else { break };
            self.bytes -= weight(&key, said.as_ref());
        }
    }
}

fn weight(key: &Key, said: Option<&Item>) -> usize {
    let said = said.map_or(0, |said| said.json.len() + said.cursor.len());
    size_of::<(Key, Option<Item>)>() + key.prefix.len() + said
}

thread_local! {
    static TEXTS: RefCell<Texts> = RefCell::default();
}

/// The text of the item at this place in a feed, for those whose prefix this is; nothing if it is of no interest to
/// them. It is made if nobody on this thread was told it lately.
pub(crate) fn once(
    (context, at): (ContextId, Cursor),
    prefix: &str,
    make: impl FnOnce() -> Option<FeedItem>,
) -> Option<Item> {
    TEXTS.with_borrow_mut(|texts| {
        if let Some(said) = texts.find(context, at, prefix) {
            return said.clone();
        }
        let said = make().as_ref().map(Item::from);
        texts.keep(Key { context, at, prefix: prefix.into() }, said.clone());
        said
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Event;

    const CONTEXT: ContextId = ContextId::from_bytes([7; 32]);

    fn item(next: u64) -> FeedItem {
        FeedItem::of(CONTEXT, Cursor { generation: 1, next }, Event::gap())
    }

    fn tell(next: u64, prefix: &str, made: &mut Vec<u64>) -> Option<Item> {
        once((CONTEXT, Cursor { generation: 1, next }), prefix, || {
            made.push(next);
            Some(item(next))
        })
    }

    #[test]
    fn a_text_is_made_once_for_each_prefix_and_the_last_ones_are_kept() {
        let mut made = Vec::new();
        let first = tell(1, "a", &mut made);
        assert_eq!(first, Some(Item::from(&item(1))));
        assert_eq!(tell(1, "a", &mut made), first);
        assert_eq!(made, [1]);
        tell(1, "b", &mut made);
        assert_eq!(made, [1, 1], "for others it may be another one");
        assert_eq!(once((CONTEXT, Cursor { generation: 2, next: 1 }), "a", || None), None);
        assert_eq!(once((CONTEXT, Cursor { generation: 2, next: 1 }), "a", || Some(item(1))), None);
        (2..100).for_each(|next| drop(tell(next, "a", &mut made)));
        made.clear();
        (40..100).for_each(|next| drop(tell(next, "a", &mut made)));
        assert_eq!(made, [0; 0]);
        tell(1, "a", &mut made);
        assert_eq!(made, [1], "there is no room for all");
    }

    #[test]
    fn no_more_bytes_are_kept_than_may_be() {
        let mut texts = Texts::default();
        let key =
            |next| Key { context: CONTEXT, at: Cursor { generation: 1, next }, prefix: "p".into() };
        let long = |bytes: usize| Some(Item { cursor: "c".into(), json: "x".repeat(bytes).into() });
        for next in 0..40 {
            texts.keep(key(next), long(50_000));
            let weights = texts.kept.iter().map(|(key, said)| weight(key, said.as_ref()));
            assert_eq!(texts.bytes, weights.sum::<usize>());
            assert!(texts.bytes <= MOST_BYTES);
        }
        assert_eq!(texts.kept.len(), 5);
        texts.keep(key(99), long(MOST_BYTES));
        assert_eq!(texts.kept.len(), 5, "what is longer than all of them is not kept");
    }
}
