//! Lists of users and sessions for programs: with a keyset instead of an offset, in one query each.

use latchkey_sessions::Handle;

use crate::db::Fault;
use crate::db::time::Moment;
use crate::identity::UserId;
use crate::users::admin::Administration;
use crate::users::queries;
use crate::users::queries::{SessionFilter, SessionOfUser, UserFilter, UserKey, UserRecord};

impl Administration {
    /// Users in the order of `filter`: `limit` of them after `after`. One query.
    pub async fn records(
        &self,
        filter: UserFilter,
        after: Option<UserKey>,
        limit: i64,
    ) -> Result<Vec<UserRecord>, Fault> {
        self.db.read(move |conn| queries::user_records(conn, &filter, after.as_ref(), limit)).await
    }

    pub async fn record(&self, user: UserId) -> Result<Option<UserRecord>, Fault> {
        self.db.read(move |conn| queries::user_record(conn, user)).await
    }

    pub async fn is_live_session(&self, session: Handle) -> Result<bool, Fault> {
        let sessions = self.sessions.clone();
        self.db.read(move |conn| sessions.is_live(conn, session)).await
    }

    /// Live sessions with their users, the newest first: `limit` of them after `after`. One query.
    pub async fn sessions_of_users(
        &self,
        filter: SessionFilter,
        after: Option<(Moment, Handle)>,
        limit: i64,
    ) -> Result<Vec<SessionOfUser>, Fault> {
        self.db.read(move |conn| queries::sessions_of_users(conn, &filter, after, limit)).await
    }
}
