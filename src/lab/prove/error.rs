//! Why the proof could not be run. The command line shows it.

use std::fmt::{self, Display, Formatter};
use std::io;

use crate::apps::AppRefusal;
use crate::config::Misconfigured;
use crate::db::Fault;
use crate::db::local::LocalError;
use crate::tokens::{ScopesRefusal, TokenRefusal};
use crate::users::AdminRefusal;

#[derive(Debug)]
pub enum ProveError {
    Fault(Fault),
    Io(io::Error),
    LocalServer(LocalError),
    Settings(Misconfigured),
    /// The role in the settings may not create databases.
    CreateDatabaseDenied,
    InstanceEnded {
        last_log_line: String,
    },
    /// An instance did not reach the expected state in time.
    TimedOut(Awaited),
    /// An answer that the test does not allow.
    Unexpected {
        request: Request,
        status: u16,
        location: String,
    },
    AccountRefused(AdminRefusal),
    /// A name or an address that this program made up was refused.
    InvalidAccount(String),
    AppRefused(AppRefusal),
    TokenRefused(TokenRefusal),
    /// A scope that the proof requested was refused.
    InvalidScope(ScopesRefusal),
}

impl ProveError {
    pub fn unexpected(request: Request, status: u16, location: String) -> Self {
        Self::Unexpected { request, status, location }
    }
}

/// The state that an instance must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    Ready,
    Serving,
    Refusing,
    /// Streams that have begun.
    Streaming,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// The page that lists sessions or tokens.
    Page(&'static str),
    Revocation,
    /// A step on the way from the app to the portal and back.
    Handoff,
}

impl Display for ProveError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::LocalServer(error) => error.fmt(f),
            Self::Settings(error) => error.fmt(f),
            Self::CreateDatabaseDenied => f.write_str(
                "this command needs a database of its own, and the role in the settings may not create one: grant it \
                 CREATEDB (ALTER ROLE … CREATEDB), or run the command in local mode, without a database in the settings",
            ),
            Self::InstanceEnded { last_log_line } => {
                write!(f, "an instance does not start: {last_log_line}")
            }
            Self::TimedOut(Awaited::Ready) => f.write_str("an instance did not become ready in time"),
            Self::TimedOut(Awaited::Serving) => f.write_str("an instance never served a live session or token"),
            Self::TimedOut(Awaited::Refusing) => f.write_str("an instance never refused a revoked session or token"),
            Self::TimedOut(Awaited::Streaming) => f.write_str("a stream through the app did not begin in time"),
            Self::Unexpected { request: Request::Page(page), status, .. } => {
                write!(f, "the page {page} was answered with {status}")
            }
            Self::Unexpected { request: Request::Revocation, status, location } => {
                write!(f, "the revocation was answered with {status} {location}")
            }
            Self::Unexpected { request: Request::Handoff, status, location } => {
                write!(f, "entering the app was answered with {status} {location}")
            }
            Self::AccountRefused(refusal) => write!(f, "an account could not be created: {refusal:?}"),
            Self::InvalidAccount(why) => write!(f, "an account could not be created: {why}"),
            Self::TokenRefused(refusal) => write!(f, "an access token could not be created: {refusal:?}"),
            Self::InvalidScope(why) => write!(f, "an access token could not be created: {why:?}"),
            Self::AppRefused(refusal) => write!(f, "the app could not be registered: {refusal:?}"),
        }
    }
}

impl std::error::Error for ProveError {}

impl From<Fault> for ProveError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for ProveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<LocalError> for ProveError {
    fn from(error: LocalError) -> Self {
        Self::LocalServer(error)
    }
}

impl From<Misconfigured> for ProveError {
    fn from(error: Misconfigured) -> Self {
        Self::Settings(error)
    }
}

impl From<getrandom::Error> for ProveError {
    fn from(error: getrandom::Error) -> Self {
        Self::Fault(Fault::from(error))
    }
}
