//! How a node ends, and what the process returns.

use mangrove_protocol::machine::Reason;

/// How a node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It was asked to.
    Done,
    /// By a signal.
    Signal(Signal),
    /// It could not go on.
    Fatal(Reason),
}

/// A signal that ends a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// From the terminal.
    Interrupt,
    /// From the terminal, more insistently.
    Quit,
    /// From whoever looks after processes.
    Terminate,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Interrupt, Self::Quit, Self::Terminate];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Terminate => "SIGTERM",
        }
    }
}

impl Exit {
    /// What the process returns.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Fatal(_) => 101,
            Self::Signal(Signal::Interrupt) => 130,
            Self::Signal(Signal::Quit) => 131,
            Self::Signal(Signal::Terminate) => 143,
        }
    }
}
