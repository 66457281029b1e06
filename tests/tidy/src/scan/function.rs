//! The functions of Rust code and how long they are.

use super::{Token, enclosed};

/// A function that has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Body<'a> {
    pub(crate) name: &'a str,
    /// The line of the word `fn`.
    pub(crate) line: usize,
    /// From the word `fn` to the closing brace.
    pub(crate) lines: usize,
}

/// Every function of the code that has a body, those inside of others too.
pub(crate) fn bodies<'a>(tokens: &[Token<'a>]) -> Vec<Body<'a>> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let [first, after @ ..] = rest {
        if first.text == "fn"
            && let [name, signature @ ..] = after
            && name.text != "("
            && let Some(last) = last_line(signature)
        {
            let lines = last.saturating_sub(first.line) + 1;
            found.push(Body { name: name.text, line: first.line, lines });
        }
        rest = after;
    }
    found
}

/// The line of the closing brace; `None` for a function without a body.
fn last_line(signature: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0_usize;
    let open = signature.iter().position(|token| {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && matches!(token.text, "{" | ";")
    })?;
    let (brace, body) = signature.get(open..)?.split_first()?;
    let close = body.get(enclosed(body, "{", "}").len())?;
    (brace.text == "{").then_some(close.line)
}

#[cfg(test)]
mod tests {
    use super::bodies;
    use crate::scan::{lines, tokens};

    #[test]
    fn a_function_reaches_from_its_name_to_its_last_brace() {
        let check = |code, expect: &[(&str, usize, usize)]| {
            let lines = lines(code);
            let found = bodies(&tokens(&lines));
            let found: Vec<_> = found.iter().map(|it| (it.name, it.line, it.lines)).collect();
            assert_eq!(found, expect, "{code}");
        };
        check("fn f() {}", &[("f", 1, 1)]);
        check("\nfn f(\n    x: [u8; 3],\n) {\n    \"}\"\n}\n", &[("f", 2, 5)]);
        check("fn f() {\n    fn g() {\n    }\n}", &[("f", 1, 4), ("g", 2, 2)]);
        check("fn declared(x: [u8; 3]);\nstruct S { call: fn(u8) }", &[]);
    }
}
