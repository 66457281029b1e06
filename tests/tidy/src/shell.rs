//! The commands that a document asks its reader to type.

use crate::markdown::Block;

/// A command, split into words; a quoted word keeps its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) line: usize,
    pub(crate) words: Vec<String>,
}

impl Command {
    /// What follows the program's name, if the program is `name`.
    pub(crate) fn arguments_of(&self, name: &str) -> Option<&[String]> {
        let start = self.words.iter().position(|word| !is_assignment(word))?;
        let (program, arguments) = self.words.get(start..)?.split_first()?;
        (program == name).then_some(arguments)
    }
}

/// The commands of a fenced block; none if it is not marked as the shell's.
///
/// In a block with `$ ` prompts only the lines that have one are typed, the others are answers.
pub(crate) fn block_commands(block: &Block<'_>) -> Vec<Command> {
    if !matches!(block.language, "sh" | "bash" | "console") {
        return Vec::new();
    }
    let prompted = block.lines.iter().any(|(_, line)| prompt(line).is_some());
    let mut found = Vec::new();
    let mut typed = String::new();
    let mut begun = None;
    for (number, line) in &block.lines {
        let continued = begun.is_some();
        let text = match prompt(line) {
            Some(text) => text,
            None if continued || !prompted => line,
            None => continue,
        };
        let first = *begun.get_or_insert(*number);
        typed.push_str(text.trim_end_matches('\\'));
        if !text.ends_with('\\') {
            found.extend(line_commands(first, &std::mem::take(&mut typed)));
            begun = None;
        }
    }
    found
}

/// The commands on one line, which may be several: `a && b`.
pub(crate) fn line_commands(line: usize, text: &str) -> Vec<Command> {
    let words = words(text);
    let typed = words.iter().position(|word| word.starts_with('#')).unwrap_or(words.len());
    words
        .split_at(typed)
        .0
        .split(|word| matches!(word.as_str(), ";" | "&" | "&&" | "|" | "||"))
        .filter(|words| !words.is_empty())
        .map(|words| Command { line, words: words.to_vec() })
        .collect()
}

/// Whether `word` is a plain word, neither a flag nor quoted nor a placeholder.
pub(crate) fn is_bare(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// `arguments` without flags and, for the flags `with_value`, without the word after them.
pub(crate) fn without_flags<'a>(arguments: &'a [String], with_value: &[&str]) -> Vec<&'a str> {
    let mut kept = Vec::new();
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        if with_value.contains(&word) {
            rest.next();
        } else if !word.starts_with('-') {
            kept.push(word);
        }
    }
    kept
}

fn prompt(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("$ ")
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| is_bare(name))
}

fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match c {
            _ if quote.is_none() && c.is_whitespace() => words.push(String::new()),
            ';' if quote.is_none() => words.extend([";".to_owned(), String::new()]),
            _ => words.last_mut().into_iter().for_each(|word| word.push(c)),
        }
        quote = match quote {
            None if matches!(c, '"' | '\'') => Some(c),
            Some(open) if open == c => None,
            unchanged => unchanged,
        };
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::{block_commands, line_commands, without_flags};
    use crate::markdown::Markdown;

    fn typed(document: &str) -> Vec<String> {
        let document = Markdown::parse(document);
        let commands = document.blocks.iter().flat_map(block_commands);
        commands.map(|command| format!("{}: {}", command.line, command.words.join(" "))).collect()
    }

    #[test]
    fn a_line_may_hold_several_commands() {
        let commands = line_commands(1, "a 'b && c'; X=1 d | e && f # g");
        let commands: Vec<_> = commands.iter().map(|command| command.words.join(" ")).collect();
        assert_eq!(commands, ["a 'b && c'", "X=1 d", "e", "f"]);
    }

    #[test]
    fn a_backslash_continues_a_command() {
        assert_eq!(typed("```sh\na \\\n  b\nc\n```"), ["2: a b", "4: c"]);
    }

    #[test]
    fn answers_in_a_session_are_not_commands() {
        assert_eq!(typed("```console\n$ mangrove --version\nmangrove 0.1.0\n```").len(), 1);
    }

    #[test]
    fn other_languages_have_no_commands() {
        assert_eq!(typed("```text\nmangrove dance\n```").len(), 0);
    }

    #[test]
    fn assignments_come_before_the_program() {
        let commands = line_commands(1, "RUST_LOG=debug mangrove run");
        let arguments = commands.first().and_then(|command| command.arguments_of("mangrove"));
        assert_eq!(arguments, Some(["run".to_owned()].as_slice()));
    }

    #[test]
    fn flags_take_their_values_with_them() {
        let words = ["--home", "x", "--json", "put", "--set=1", "a"].map(str::to_owned);
        assert_eq!(without_flags(&words, &["--home"]), ["put", "a"]);
    }
}
