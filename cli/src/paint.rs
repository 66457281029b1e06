//! Colours for what a person reads, or none.

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// None.
    Off,
    /// As a terminal takes them.
    On,
}

/// How something is meant to look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As all else.
    #[default]
    Plain,
    /// Like a heading.
    Strong,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// Of little weight.
    Faint,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "1;31",
            Self::Faint => "2",
        }
    }
}

impl Paint {
    /// Colours if that is so.
    pub(crate) const fn when(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }

    /// Whether there are any.
    pub(crate) const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }

    /// The text in this tone.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        match (self, tone) {
            (Self::Off, _) | (_, Tone::Plain) => text.to_owned(),
            (Self::On, tone) => format!("\x1b[{}m{text}\x1b[0m", tone.code()),
        }
    }
}

/// What a text is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Whether it may have colours.
    pub(crate) paint: Paint,
    /// How wide the terminal is that shows it, if one does.
    pub(crate) columns: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_there_when_they_are_on_alone() {
        assert_eq!(Paint::when(false).paint(Tone::Bad, "x"), "x");
        assert_eq!(Paint::when(true).paint(Tone::Plain, "x"), "x");
        assert_eq!(Paint::when(true).paint(Tone::Bad, "x"), "\x1b[1;31mx\x1b[0m");
        assert!(Paint::On.is_on() && !Paint::Off.is_on());
    }
}
