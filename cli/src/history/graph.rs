//! Deltas and their parents, drawn with letters.
//!
//! Each delta stands in a column, and so does each that was named as a parent and has not come yet. Deltas come the
//! last first, so a parent always comes after all that name it.

/// Columns that are drawn. What stands further to the right is there all the same.
const WIDEST: usize = 40;

/// A drawing in the making.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// For which delta each column waits.
    columns: Vec<Option<String>>,
}

/// What is drawn for one delta.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rows {
    /// The line that it stands in.
    pub(super) node: String,
    /// What leads from there to its parents.
    pub(super) links: Vec<String>,
}

/// Where a link ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// At a column that begins there.
    New(usize),
    /// At a column that there is.
    Old(usize),
}

impl Graph {
    /// Draws a delta, after all that name it as a parent.
    pub(super) fn add<'a>(&mut self, id: &str, parents: impl Iterator<Item = &'a str>) -> Rows {
        let at = self.waiting_for(id).unwrap_or_else(|| self.free());
        self.set(at, Some(id));
        let node = self.line(at);
        self.set(at, None);
        let mut links = Vec::new();
        for (nth, parent) in parents.enumerate() {
            let end = match self.waiting_for(parent) {
                Some(there) if there == at => continue,
                // What waits further to the right comes here, so that the drawing stays narrow.
                Some(there) if nth == 0 && there > at => {
                    self.set(at, Some(parent));
                    self.set(there, None);
                    links.push(self.link(there, End::Old(at)));
                    continue;
                }
                Some(there) => End::Old(there),
                None if nth == 0 => {
                    self.set(at, Some(parent));
                    continue;
                }
                None => {
                    let there = self.free_beside(at);
                    self.set(there, Some(parent));
                    End::New(there)
                }
            };
            links.push(self.link(at, end));
        }
        let used = self.columns.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.columns.truncate(used);
        Rows { node, links }
    }

    fn waiting_for(&self, id: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.as_deref() == Some(id))
    }

    fn free(&self) -> usize {
        self.columns.iter().position(Option::is_none).unwrap_or(self.columns.len())
    }

    /// A free column, but not this one.
    fn free_beside(&self, at: usize) -> usize {
        let mut columns = self.columns.iter().enumerate();
        let free = columns.find(|(column, waits)| waits.is_none() && *column != at);
        free.map_or_else(|| self.columns.len().max(at + 1), |(column, _)| column)
    }

    fn set(&mut self, at: usize, id: Option<&str>) {
        if at >= self.columns.len() {
            self.columns.resize(at + 1, None);
        }
        if let Some(column) = self.columns.get_mut(at) {
            *column = id.map(str::to_owned);
        }
    }

    /// The line of the delta in this column.
    fn line(&self, at: usize) -> String {
        let letters =
            self.columns.iter().enumerate().take(WIDEST).flat_map(|(column, waits)| match waits {
                Some(_) if column == at => ['*', ' '],
                Some(_) => ['|', ' '],
                None => [' ', ' '],
            });
        letters.collect::<String>().trim_end().to_owned()
    }

    /// A line that leads from one column to another, behind those between.
    fn link(&self, from: usize, end: End) -> String {
        let (End::New(to) | End::Old(to)) = end;
        let (left, right) = (from.min(to), from.max(to));
        let letter = |place: usize| {
            let column = place / 2;
            let is_drawn = self.columns.get(column).is_some_and(Option::is_some);
            match place {
                _ if place.is_multiple_of(2) && is_drawn && end != End::New(column) => '|',
                _ if to > from && place == 2 * right - 1 => '\\',
                _ if to < from && place == 2 * left + 1 => '/',
                _ if place > 2 * left && place < 2 * right => '-',
                _ => ' ',
            }
        };
        let wide = 2 * self.columns.len().max(right + 1).min(WIDEST);
        (0..wide).map(letter).collect::<String>().trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deltas of one letter, each with its parents, and the drawing.
    #[track_caller]
    fn check(deltas: &[(&str, &str)], expect: &str) {
        let mut graph = Graph::default();
        let mut text = String::new();
        for (id, parents) in deltas {
            let each = (0..parents.len()).filter_map(|at| parents.get(at..=at));
            let Rows { node, links } = graph.add(id, each);
            text.push_str(&format!("{node}\n"));
            text.extend(links.iter().map(|link| format!("{link}\n")));
        }
        assert_eq!(text, expect, "\n{text}");
        assert!(graph.columns.is_empty(), "{:?}", graph.columns);
    }

    #[test]
    fn a_line_is_straight() {
        check(&[("c", "b"), ("b", "a"), ("a", "")], "*\n*\n*\n");
    }

    #[test]
    fn what_was_written_side_by_side_stands_so() {
        check(&[("c", "ab"), ("b", "a"), ("a", "")], "*\n|\\\n| *\n|/\n*\n");
        check(
            &[("e", "cd"), ("d", "b"), ("c", "b"), ("b", "a"), ("a", "")],
            "*\n|\\\n| *\n* |\n|/\n*\n*\n",
        );
        check(&[("x", "a"), ("y", "a"), ("a", "")], "*\n| *\n|/\n*\n");
    }

    #[test]
    fn links_go_behind_what_stands_between() {
        check(
            &[("f", "cde"), ("e", "a"), ("d", "a"), ("c", "a"), ("a", "")],
            "*\n|\\\n|-|\\\n| | *\n| * |\n| |/\n* |\n|/\n*\n",
        );
        check(
            &[("m", "pq"), ("n", "qp"), ("p", "a"), ("q", "a"), ("a", "")],
            "*\n|\\\n| | *\n| |/\n|/|-\n* |\n| *\n|/\n*\n",
        );
    }

    #[test]
    fn a_drawing_has_a_greatest_width() {
        let mut graph = Graph::default();
        let ids = (0..100).map(|at| format!("id{at}")).collect::<Vec<_>>();
        let rows = graph.add("merge", ids.iter().map(String::as_str));
        assert!(rows.links.iter().all(|link| link.chars().count() <= 2 * WIDEST));
        let mut rows = ids.iter().rev().map(|id| graph.add(id, std::iter::empty()).node);
        assert!(rows.all(|row| row.chars().count() <= 2 * WIDEST));
        assert!(graph.columns.is_empty(), "{:?}", graph.columns);
    }
}
