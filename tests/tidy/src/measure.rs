//! The sizes of files and functions: a report for a reader's eye, not a law.

use std::cmp::Reverse;
use std::fmt;

use crate::scan::{self, CommentKind, Line};
use crate::{File, Tree};

const LONG_FILE: usize = 600;
const LONG_FUNCTION: usize = 70;
const LISTED: usize = 10;

/// How the Rust sources of a tree measure.
#[derive(Clone, Debug, Default)]
pub struct Measures {
    /// Every file, the longest first.
    pub files: Vec<FileSize>,
    /// Every function that has a body, the longest first.
    pub functions: Vec<Function>,
    /// Lines of all files together.
    pub lines: usize,
    /// Lines that hold nothing but a plain comment.
    pub plain_lines: usize,
    /// Lines that hold nothing but documentation.
    pub doc_lines: usize,
}

/// A file and its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSize {
    /// The file's path.
    pub place: String,
    /// Its lines.
    pub lines: usize,
}

/// A function and its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// The function's name.
    pub name: String,
    /// Where its `fn` is: `path:line`.
    pub place: String,
    /// From its `fn` to its closing brace.
    pub lines: usize,
}

impl Measures {
    /// Measures every Rust source of the tree.
    pub fn of(tree: &Tree) -> Self {
        let mut measures = Self::default();
        for file in tree.rust() {
            measures.add(file);
        }
        measures.files.sort_by_key(|file| Reverse(file.lines));
        measures.functions.sort_by_key(|function| Reverse(function.lines));
        measures
    }

    /// How many files are over 600 lines.
    pub fn long_files(&self) -> usize {
        self.files.iter().filter(|file| file.lines > LONG_FILE).count()
    }

    /// How many functions are over 70 lines.
    pub fn long_functions(&self) -> usize {
        self.functions.iter().filter(|function| function.lines > LONG_FUNCTION).count()
    }

    /// The length that `percent` of all functions do not exceed; zero without functions.
    pub fn function_percentile(&self, percent: usize) -> usize {
        let longer = self.functions.len() * (100 - percent.min(100)) / 100;
        self.functions.get(longer).map_or(0, |function| function.lines)
    }

    fn add(&mut self, file: &File) {
        let lines = scan::lines(file.text());
        let only = |kind| lines.iter().filter(|line| is_only(line, kind)).count();
        self.plain_lines += only(CommentKind::Plain);
        self.doc_lines += only(CommentKind::Doc);
        let length = file.text().lines().count();
        self.lines += length;
        self.files.push(FileSize { place: file.path().to_string(), lines: length });
        let tokens = scan::tokens(&lines);
        self.functions.extend(scan::bodies(&tokens).into_iter().map(|body| Function {
            name: body.name.to_owned(),
            place: file.at(body.line),
            lines: body.lines,
        }));
    }

    fn share(&self, part: usize) -> String {
        let permille = (part * 1000).checked_div(self.lines).unwrap_or_default();
        format!("{}.{} %", permille / 10, permille % 10)
    }
}

impl fmt::Display for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} files, {} over {LONG_FILE} lines", self.files.len(), self.long_files())?;
        for FileSize { place, lines } in self.files.iter().take(LISTED) {
            writeln!(f, "{lines:6}  {place}")?;
        }
        let functions = self.functions.len();
        writeln!(f, "{functions} functions, {} over {LONG_FUNCTION} lines", self.long_functions())?;
        for Function { name, place, lines } in self.functions.iter().take(LISTED) {
            writeln!(f, "{lines:6}  {name} at {place}")?;
        }
        let (median, p95) = (self.function_percentile(50), self.function_percentile(95));
        writeln!(f, "function length: median {median}, 95th percentile {p95}")?;
        let (plain, doc) = (self.share(self.plain_lines), self.share(self.doc_lines));
        write!(f, "{} lines: {plain} plain comments, {doc} documentation", self.lines)
    }
}

fn is_only(line: &Line, kind: CommentKind) -> bool {
    let said = line.comments.first().is_some_and(|comment| comment.kind == kind);
    said && line.code.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::Measures;
    use crate::Tree;

    const SOURCE: &str = "\
//! Why.

/// What.
fn long() {
    // Because.
    let x = 1; // Not a line of comment alone.
}

fn short() {}
";

    #[test]
    fn files_and_functions_come_longest_first() {
        let measures = Measures::of(&Tree::of(&[("a.rs", "fn f() {}"), ("b.rs", SOURCE)]));
        let files: Vec<_> = measures.files.iter().map(|it| (it.place.as_str(), it.lines)).collect();
        assert_eq!(files, [("b.rs", 9), ("a.rs", 1)]);
        let first = measures.functions.first().map(|it| (it.place.as_str(), it.lines));
        assert_eq!(first, Some(("b.rs:4", 4)));
    }

    #[test]
    fn comments_count_where_they_are_alone() {
        let measures = Measures::of(&Tree::of(&[("b.rs", SOURCE)]));
        assert_eq!((measures.lines, measures.plain_lines, measures.doc_lines), (9, 1, 2));
    }

    #[test]
    fn percentiles_are_lengths_of_functions() {
        let text: String =
            (0..20).map(|lines| format!("fn f() {{{}}}\n", "\n".repeat(lines))).collect();
        let measures = Measures::of(&Tree::of(&[("a.rs", &text)]));
        assert_eq!(measures.function_percentile(50), 10);
        assert_eq!(measures.function_percentile(95), 19);
        assert_eq!(measures.function_percentile(100), 20);
        assert_eq!(Measures::default().function_percentile(50), 0);
    }

    #[test]
    fn what_is_long_is_counted() {
        let text = format!("fn f() {{{}}}\n", "\n".repeat(700));
        let measures = Measures::of(&Tree::of(&[("a.rs", &text), ("b.rs", SOURCE)]));
        assert_eq!((measures.long_files(), measures.long_functions()), (1, 1));
        assert!(measures.to_string().contains("3 functions, 1 over 70 lines"), "{measures}");
    }
}
