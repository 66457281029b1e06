//! Source text taken apart, so that rules can say "in code" and "in a comment".

mod attribute;
mod function;
mod rust;
mod script;
mod token;

use crate::File;

pub(crate) use attribute::{Attribute, attributes};
pub(crate) use function::bodies;
pub(crate) use rust::{Line, lines};
pub(crate) use token::{Token, enclosed, tokens};

/// A comment, or the part of it that is on one line, without its marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comment {
    pub(crate) kind: CommentKind,
    pub(crate) text: String,
}

/// Whom a comment speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommentKind {
    /// Whoever reads the code.
    Plain,
    /// Whoever uses it.
    Doc,
}

/// Every comment of a source file with its line; none for a language without known comments.
pub(crate) fn comments(file: &File) -> Vec<(usize, Comment)> {
    if file.path().extension() == Some("rs") {
        let lines = lines(file.text());
        return lines
            .into_iter()
            .flat_map(|line| line.comments.into_iter().map(move |comment| (line.number, comment)))
            .collect();
    }
    let Some(marker) = script::marker(file) else { return Vec::new() };
    file.lines()
        .filter_map(|(number, line)| {
            let text = script::comment(line, marker)?.to_owned();
            Some((number, Comment { kind: CommentKind::Plain, text }))
        })
        .collect()
}
