//! The answer to a request for an app, and why it was given.

use std::time::Duration;

use crate::apps::path::AmbiguousPath;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Pass {
        /// Whether the app receives the user's identity. False for visitors and preflights.
        identity: bool,
        /// Whether visitors get in as well.
        open: bool,
    },
    /// The request has no live session, and a log-in could help.
    LogIn,
    NotAllowed(NotAllowed),
    /// The last proof of identity is too old.
    Confirm {
        within: Duration,
    },
    /// The session was opened without the factor that the rule requires.
    SecondFactor {
        /// Whether only a passkey is enough.
        passkey: bool,
        /// Whether the user has set one up.
        enrolled: bool,
    },
    /// Another site sent the request.
    CrossSite,
    PreflightRefused,
    /// There is no such app, or it is disabled.
    UnknownApp,
    PathAmbiguous(AmbiguousPath),
    /// Latchkey does not know the client's IP address.
    Misconfigured(UnknownAddress),
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAllowed {
    /// No rule matches this request.
    NoRule,
    /// The rule does not list the user.
    NotListed,
}

/// Why a rule about networks cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownAddress {
    /// The request went through a proxy that is not configured.
    UntrustedProxy,
    /// The IP address is missing.
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
    /// The position of the rule that decided, from 0; `None` if no rule was checked or none matched.
    pub rule: Option<usize>,
    pub answer: Answer,
}

/// Why a rule was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleMismatch {
    Method,
    Path,
    Network,
}
