//! The feed, from wherever somebody has got to.

use mangrove_store::feed::{Cursor, Page};
use mangrove_store::{Reader, Writer};

use crate::book;
use crate::house::{House, commit};

const LAST: u64 = 50;

fn filled() -> (House, Writer, Reader) {
    let house = House::new();
    let (writer, reader) = house.open();
    let pen = writer.pen(book::context(1)).unwrap();
    (0..LAST).for_each(|at| commit(&pen, &book::commit(pen.context(), at)));
    (house, writer, reader)
}

fn start(reader: &Reader) -> Cursor {
    reader.begin().unwrap().context(&book::context(1)).unwrap().feed_start().unwrap()
}

fn page(reader: &Reader, after: Cursor, limit: usize) -> Page {
    reader.begin().unwrap().context(&book::context(1)).unwrap().feed(after, limit).unwrap()
}

fn positions(page: &Page) -> Vec<u64> {
    page.items.iter().map(|(position, _)| *position).collect()
}

#[test]
fn a_feed_goes_on_where_somebody_had_got_to() {
    let (house, writer, reader) = filled();
    let (mut seen, mut cursor) = (Vec::new(), start(&reader));
    for _ in 0..4 {
        let page = page(&reader, cursor, 12);
        assert_eq!(page.gap, None);
        seen.extend(positions(&page));
        cursor = page.cursor;
    }
    writer.close();
    let (writer, reader) = house.open();
    let rest = page(&reader, cursor, 100);
    seen.extend(positions(&rest));
    assert!(seen.iter().copied().eq(0..LAST), "{seen:?}");
    assert_eq!(positions(&page(&reader, rest.cursor, 100)), []);
    let pen = writer.pen(book::context(1)).unwrap();
    commit(&pen, &book::commit(pen.context(), LAST));
    assert_eq!(positions(&page(&reader, rest.cursor, 100)), [LAST]);
}

#[test]
fn what_was_trimmed_is_a_gap_and_what_is_left_is_told() {
    let (house, writer, reader) = filled();
    let first = start(&reader);
    let pen = writer.pen(book::context(1)).unwrap();
    pen.trim_feed(20, &reader).unwrap().unwrap().wait().unwrap();
    assert!(pen.trim_feed(20, &reader).unwrap().is_none(), "there is nothing to trim");
    drop(pen);
    writer.close();
    let (writer, reader) = house.open();
    let page_of = |next: u64| page(&reader, Cursor { next, ..first }, 5);
    let gapped = page_of(3);
    let gap = gapped.gap.unwrap();
    assert_eq!((gap.after.next, gap.from.next), (3, 20));
    assert_eq!(positions(&gapped), [20, 21, 22, 23, 24]);
    assert_eq!(page_of(20).gap, None);
    assert_eq!(page_of(30).gap, None);
    let pen = writer.pen(book::context(1)).unwrap();
    pen.trim_feed(LAST + 100, &reader).unwrap().unwrap().wait().unwrap();
    let end = page(&reader, Cursor { next: LAST, ..first }, 5);
    assert_eq!((end.gap, end.items.len(), end.cursor.next), (None, 0, LAST));
}

#[test]
fn a_cursor_of_another_feed_or_of_the_future_is_a_gap() {
    let (_house, _writer, reader) = filled();
    let first = start(&reader);
    for strange in
        [Cursor { generation: first.generation ^ 1, next: 10 }, Cursor { next: LAST + 1, ..first }]
    {
        let page = page(&reader, strange, 3);
        let gap = page.gap.unwrap();
        assert_eq!((gap.after, gap.from), (strange, first));
        assert_eq!(positions(&page), [0, 1, 2]);
    }
}

/// What a page shows is of one moment, with the beginning that the feed had then.
#[test]
fn a_page_knows_of_a_trim_just_as_its_items_do() {
    let (_house, writer, reader) = filled();
    let first = start(&reader);
    let reading = reader.begin().unwrap();
    let before = reading.context(&book::context(1)).unwrap();
    let pen = writer.pen(book::context(1)).unwrap();
    pen.trim_feed(20, &reader).unwrap().unwrap().wait().unwrap();
    let after = reading.context(&book::context(1)).unwrap();
    let cursor = Cursor { next: 5, ..first };
    let page = before.feed(cursor, 3).unwrap();
    assert_eq!((page.gap, positions(&page)), (None, vec![5, 6, 7]));
    let page = after.feed(cursor, 3).unwrap();
    assert_eq!(page.gap.map(|gap| gap.from.next), Some(20));
    assert_eq!(positions(&page), [20, 21, 22]);
}

#[test]
fn what_comes_after_everything_was_trimmed_is_told() {
    let (_house, writer, reader) = filled();
    let first = start(&reader);
    let pen = writer.pen(book::context(1)).unwrap();
    pen.trim_feed(u64::MAX, &reader).unwrap().unwrap().wait().unwrap();
    commit(&pen, &book::commit(pen.context(), LAST));
    let page = page(&reader, Cursor { next: LAST, ..first }, 9);
    assert_eq!((page.gap, positions(&page)), (None, vec![LAST]));
}
