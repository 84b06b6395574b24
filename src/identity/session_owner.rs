//! Users as owners of sessions.

use diesel::pg::PgConnection;
use latchkey_sessions::{KeyHash, LiveSession, Owner};

use crate::db::Fault;
use crate::identity::queries;
use crate::identity::user::User;

impl Owner for User {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
        queries::live_users(conn, keys)
    }
}
