//! A Markdown document: its prose, its fenced blocks and what its prose points to.

/// A document, with each line's number counted from one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Markdown<'a> {
    pub(crate) prose: Vec<(usize, &'a str)>,
    pub(crate) blocks: Vec<Block<'a>>,
}

/// A fenced block.
#[derive(Clone, Debug)]
pub(crate) struct Block<'a> {
    /// The first word after the opening fence.
    pub(crate) language: &'a str,
    pub(crate) lines: Vec<(usize, &'a str)>,
}

impl<'a> Markdown<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        let mut document = Self::default();
        let mut fence = None;
        for (number, line) in (1..).zip(text.lines()) {
            match fence {
                None => fence = document.outside(number, line),
                Some(open) if closes(open, line) => fence = None,
                Some(_) => document.inside(number, line),
            }
        }
        document
    }

    /// Headings without their hashes.
    pub(crate) fn headings(&self) -> impl Iterator<Item = &'a str> {
        self.prose.iter().filter_map(|(_, line)| {
            let title = line.trim_start_matches('#');
            title.strip_prefix(' ').filter(|_| line.starts_with('#'))
        })
    }

    /// What the prose links to, inline or by reference, with the line it does so on.
    pub(crate) fn links(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (number, line) in &self.prose {
            let line = without_code(line);
            let targets = inline_targets(&line).chain(reference_target(&line));
            found.extend(targets.map(|target| (*number, target.to_owned())));
        }
        found
    }

    fn outside(&mut self, number: usize, line: &'a str) -> Option<&'a str> {
        let fence = opening(line);
        match fence {
            Some(fence) => {
                self.blocks.push(Block { language: language(line, fence), lines: vec![] });
            }
            None => self.prose.push((number, line)),
        }
        fence
    }

    fn inside(&mut self, number: usize, line: &'a str) {
        if let Some(block) = self.blocks.last_mut() {
            block.lines.push((number, line));
        }
    }
}

/// The code spans of a line of prose.
pub(crate) fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn opening(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let marker = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.len() - line.trim_start_matches(marker).len();
    line.get(..length).filter(|fence| fence.len() >= 3)
}

fn closes(open: &str, line: &str) -> bool {
    opening(line).is_some_and(|close| close.starts_with(open) && close == line.trim())
}

fn language<'a>(line: &'a str, fence: &str) -> &'a str {
    let info = line.trim_start().strip_prefix(fence).unwrap_or_default();
    info.split(|c: char| c.is_whitespace() || c == ',')
        .find(|it| !it.is_empty())
        .unwrap_or_default()
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

fn inline_targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| target(rest.split(')').next()?))
}

/// The target of a definition such as `[name]: target`, which a footnote is not.
fn reference_target(line: &str) -> Option<&str> {
    let definition = line.trim_start().strip_prefix('[').filter(|it| !it.starts_with('^'))?;
    target(definition.split_once("]:")?.1)
}

fn target(link: &str) -> Option<&str> {
    let target = link.split_whitespace().next()?;
    Some(target.trim_start_matches('<').trim_end_matches('>'))
}

#[cfg(test)]
mod tests {
    use super::{Markdown, code_spans};

    const DOCUMENT: &str = "\
# Title
See [a](one.md) and `[b](two.md)` and [c](three.md#x \"Three\").

```sh ignore
# not a heading
[d](four.md)
```
~~~~console
```
~~~~
## `mangrove init`
[e]: five.md
[^1]: [f](<six.md>)
";

    #[test]
    fn blocks_keep_their_language_and_their_lines() {
        let document = Markdown::parse(DOCUMENT);
        let blocks: Vec<_> =
            document.blocks.iter().map(|block| (block.language, block.lines.clone())).collect();
        assert_eq!(
            blocks,
            [
                ("sh", vec![(5, "# not a heading"), (6, "[d](four.md)")]),
                ("console", vec![(9, "```")])
            ]
        );
    }

    #[test]
    fn headings_are_found_in_prose_alone() {
        let document = Markdown::parse(DOCUMENT);
        assert_eq!(document.headings().collect::<Vec<_>>(), ["Title", "`mangrove init`"]);
    }

    #[test]
    fn links_are_found_outside_of_code() {
        let links = Markdown::parse(DOCUMENT).links();
        let links: Vec<_> = links.iter().map(|(line, to)| (*line, to.as_str())).collect();
        assert_eq!(links, [(2, "one.md"), (2, "three.md#x"), (12, "five.md"), (13, "six.md")]);
    }

    #[test]
    fn code_spans_are_what_is_between_backticks() {
        assert_eq!(
            code_spans("run `make a` or `make b`.").collect::<Vec<_>>(),
            ["make a", "make b"]
        );
    }
}
