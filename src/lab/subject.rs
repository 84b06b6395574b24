//! The owner of a lab session: a subject of its own kind, which no guard of the product accepts.

use diesel::pg::PgConnection;

use super::model::Subject;
use super::queries;
use crate::db::Fault;
use latchkey_sessions::{KeyHash, LiveSession, Owner};

impl Owner for Subject {
    const KIND: &'static str = "lab";

    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
        queries::live_subjects(conn, keys)
    }
}
