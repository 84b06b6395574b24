//! What happened, as those saw it who asked: every request with its times by one clock, and what came back.

/// A number of the log-in that opened it; known before it is known whether that succeeded.
pub type SessionId = usize;
pub type KeyId = usize;
pub type PersonId = usize;

/// Microseconds of the one clock: when a request was sent, and when its answer (or the lack of one) was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub begun: u64,
    pub ended: u64,
}

/// Whether what was asked for was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Yes,
    /// Refused: it changed nothing.
    No,
    /// 503, or no answer: then or later or never.
    Unknown,
}

/// How a request with a key was met.
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

/// What is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By a rotation, which gives the session another one.
    Key(KeyId),
    Session(SessionId),
    /// All of a person but one.
    Others(PersonId, SessionId),
    All(PersonId),
    /// All, and no more until they are enabled.
    Disabled(PersonId),
}

/// What is written about a person, and read with their sessions or at their log-in.
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
    /// By their [`SessionId`].
    pub log_ins: Vec<LogIn>,
    /// The session of each key.
    pub keys: Vec<SessionId>,
    pub uses: Vec<Use>,
    pub ends: Vec<End>,
    pub writes: Vec<Write>,
    /// What no request should be answered with, such as 500.
    pub unexpected: Vec<String>,
}
