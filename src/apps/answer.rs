//! The answer to a request for an app, and why it was given.

use std::time::Duration;

use crate::apps::path::AmbiguousPath;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Pass {
        /// Whether the app learns who the user is. Not for visitors and preflights.
        identity: bool,
        /// Whether visitors pass as well.
        open: bool,
    },
    /// The request has no live session, and a log-in could help.
    LogIn,
    NotAllowed(NotAllowed),
    /// The last proof of identity is too old.
    Confirm {
        within: Duration,
    },
    /// The session was opened without the factor that the rule asks for.
    SecondFactor {
        /// Whether only a passkey is enough.
        passkey: bool,
        /// Whether the user has one to log in with.
        enrolled: bool,
    },
    /// Another site sent the request.
    CrossSite,
    PreflightRefused,
    /// There is no such app, or it is disabled.
    UnknownApp,
    PathAmbiguous(AmbiguousPath),
    /// Latchkey cannot know the client's address.
    Misconfigured(UnknownAddress),
}

/// Why a user is not let in, or nobody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAllowed {
    /// No rule is about this request.
    NoRule,
    /// The user is not in the list of the rule.
    NotListed,
}

/// Why a rule about networks cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownAddress {
    /// The request went through a proxy that is not configured.
    UntrustedProxy,
    /// The address is missing.
    Missing,
}

impl Answer {
    pub fn passes(self) -> bool {
        matches!(self, Self::Pass { .. })
    }
}

/// Which rule gave an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The position of the rule that decided, from 0; `None` if no rule was asked or none applied.
    pub rule: Option<usize>,
    pub answer: Answer,
}

/// Why a rule was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    Method,
    Path,
    Network,
}
