//! The owner of a lab session: a subject of its own kind, which no guard of the product accepts.

use diesel::pg::PgConnection;
use serde::{Deserialize, Serialize};

use super::queries;
use crate::db::Fault;
use latchkey_sessions::{KeyHash, LiveSession, Owner};

/// What the subject may do in the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectRole {
    Member,
    Admin,
}

impl SubjectRole {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "member" => Some(Self::Member),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Member => Self::Admin,
            Self::Admin => Self::Member,
        }
    }
}

/// The data loaded with a lab session.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    pub role: SubjectRole,
}

impl Owner for Subject {
    const KIND: &'static str = "lab";

    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
        queries::live_subjects(conn, keys)
    }
}
