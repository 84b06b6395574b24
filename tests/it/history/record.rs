//! The recorded history from the clients' point of view: every request, its times by one clock, and its answer.

use std::collections::BTreeMap;

/// The number of the log-in that opened it, assigned before it is known whether the log-in succeeded.
pub type SessionId = usize;
pub type KeyId = usize;
pub type PersonId = usize;

/// Microseconds of one clock: when a request was sent, and when its answer arrived or was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub begun: u64,
    pub ended: u64,
}

/// Whether a request took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Yes,
    /// Refused: it changed nothing.
    No,
    /// 503, or no answer: it may take effect then, later or never.
    Unknown,
}

/// The outcome of a request with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saw {
    /// Logged in; with the profile, if the page shows it.
    In(Option<Profile>),
    /// Not logged in.
    Out,
    /// 503, or no answer.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: String,
    pub role: String,
}

/// The target of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By a rotation, which gives the session another key.
    Key(KeyId),
    Session(SessionId),
    /// The keys of apps of all sessions of a user. The sessions stay.
    AppKeys(PersonId),
    /// All sessions of a user except one, and the app keys of that one.
    Others(PersonId, SessionId),
    All(PersonId),
    /// All sessions; and no new session until the user is enabled.
    Disabled(PersonId),
}

/// A field of a user that later requests read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    Name,
    Role,
    Enabled,
}

pub struct LogIn {
    pub person: PersonId,
    pub at: Span,
    pub done: Done,
}

pub struct Use {
    pub key: KeyId,
    pub at: Span,
    pub saw: Saw,
}

pub struct End {
    pub what: Ended,
    pub at: Span,
    pub done: Done,
}

pub struct Write {
    pub person: PersonId,
    pub field: Field,
    pub value: String,
    pub at: Span,
    pub done: Done,
}

#[derive(Default)]
pub struct History {
    /// Indexed by [`SessionId`].
    pub log_ins: Vec<LogIn>,
    /// The session of each key.
    pub keys: Vec<SessionId>,
    /// Those among them that open an app, and when each was opened.
    pub app_keys: BTreeMap<KeyId, Span>,
    pub uses: Vec<Use>,
    pub ends: Vec<End>,
    pub writes: Vec<Write>,
    /// Unexpected answers, such as 500.
    pub unexpected: Vec<String>,
}
