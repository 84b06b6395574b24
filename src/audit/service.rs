//! Reads the audit trail. Operations write their events themselves, in their own transaction.

use crate::audit::events::Event;
use crate::audit::queries;
use crate::audit::trail::{LinkedRecord, TrailFilter};
use crate::db::{Db, Fault};
use crate::identity::UserId;

/// Reads and verifies the trail.
#[derive(Clone)]
pub struct Audit {
    pub(super) db: Db,
}

impl Audit {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// The events about `subject`, newest first, and how many there are in all.
    pub async fn activity(
        &self,
        subject: UserId,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<Event>, i64), Fault> {
        self.db.read(move |conn| queries::events(conn, Some(subject), None, limit, offset)).await
    }

    /// The events about all users, newest first, and how many there are in all. `q` searches actions, names, and email
    /// and IP addresses.
    pub async fn trail(&self, q: &str, limit: i64, offset: i64) -> Result<(Vec<Event>, i64), Fault> {
        let q = q.to_owned();
        self.db.read(move |conn| queries::events(conn, None, Some(&q), limit, offset)).await
    }

    /// The events after a link of the hash chain, oldest first. A later call that continues after the last one misses none.
    pub async fn linked(
        &self,
        filter: TrailFilter,
        after: i64,
        limit: i64,
    ) -> Result<Vec<LinkedRecord>, Fault> {
        self.db.read(move |conn| queries::linked_events(conn, &filter, after, limit)).await
    }
}
