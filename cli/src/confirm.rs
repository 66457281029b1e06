//! Asking before something that cannot be taken back.

use std::io::{self, IsTerminal};

use crate::exit::Kind;
use crate::failure::Failure;
use crate::present::ask;

/// Whether somebody has said that it is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Confirmation {
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

impl Confirmation {
    /// Goes on if it is meant. On a terminal somebody is asked; elsewhere nobody can be, and it is refused.
    pub(crate) fn obtain(
        &self,
        question: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Failure::new(Kind::Usage, "this cannot be taken back")
                .because("nobody can be asked whether it is meant: there is no terminal")
                .hint("if it is meant, add --yes"));
        }
        let answer = ask(&format!("{} [y/N] ", question()?)).map_err(|why| {
            Failure::new(Kind::Internal, "cannot ask whether it is meant").because(why)
        })?;
        match means_yes(&answer) {
            true => Ok(()),
            false => Err(Failure::new(Kind::Usage, "nothing was done")),
        }
    }
}

fn means_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_is_one() {
        assert!([" y\n", "YES", "yes\r\n"].into_iter().all(means_yes));
        assert!(!["", "\n", "n", "yess", "yes please"].into_iter().any(means_yes));
    }
}
