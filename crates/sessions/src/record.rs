//! What is kept about a session.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_types::Uuid as SqlUuid;
use smol_str::SmolStr;
use time::OffsetDateTime;
use uuid::Uuid;

use super::cache::Entry;
use super::{KeyHash, State};
use crate::schema::sessions;
use latchkey_db::time::Moment;

macro_rules! public_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
        #[diesel(sql_type = SqlUuid)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }

        impl diesel::serialize::ToSql<SqlUuid, diesel::pg::Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>) -> diesel::serialize::Result {
                diesel::serialize::ToSql::<SqlUuid, diesel::pg::Pg>::to_sql(&self.0, out)
            }
        }

        impl diesel::deserialize::FromSql<SqlUuid, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                diesel::deserialize::FromSql::<SqlUuid, diesel::pg::Pg>::from_sql(bytes).map(Self)
            }
        }
    };
}

public_id! {
    /// The public, stable id of a session: in lists and URLs, worthless as a credential.
    Handle
}

public_id! {
    /// Who a session belongs to; all that this room knows of them.
    Principal
}

/// A log-in about to become a session.
#[derive(Clone, Debug)]
pub struct Login {
    pub principal: Principal,
    /// "Keep me logged in": chooses the longer pair of clocks.
    pub remember: bool,
    /// How they proved themselves, such as `password`.
    pub factor: String,
    /// Where from; cut to what the columns hold.
    pub address: String,
    pub user_agent: String,
    /// What the application knows the browser by, as a hash. Kept for the application, which reads it from the row.
    pub device: Option<[u8; 32]>,
}

/// A row as it is listed.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(diesel::pg::Pg))]
pub struct Record {
    pub handle: Handle,
    pub principal: Principal,
    pub state: State,
    pub remember: bool,
    #[diesel(deserialize_as = String)]
    pub factor: Arc<str>,
    #[diesel(deserialize_as = String)]
    pub address: SmolStr,
    #[diesel(deserialize_as = String)]
    pub user_agent: Arc<str>,
    pub created_at: Moment,
    pub confirmed_at: Moment,
    pub last_seen_at: Moment,
    pub expires_at: Moment,
}

/// Read again after this, though nothing was heard of it: a second line behind what is announced.
const FRESH: Duration = Duration::from_secs(300);

/// The principal's other live sessions, as they were when this one was read.
#[derive(Clone, Copy, Debug)]
pub struct Others {
    pub count: u32,
    /// So long this can be said: until the first of them ends by itself.
    until: Moment,
}

impl Others {
    /// From the moments at which they end.
    pub(super) fn new(ends: &[Moment], read_at: Moment) -> Self {
        let until = ends.iter().copied().fold(read_at.plus(FRESH), Moment::min);
        Self { count: u32::try_from(ends.len()).unwrap_or(u32::MAX), until }
    }
}

/// What was read of a live session and may be kept in memory while nothing else is announced.
pub struct Kept<O> {
    pub(super) key_hash: KeyHash,
    pub record: Record,
    pub others: Others,
    pub owner: O,
    /// When it was last seen here, if that was after the row was read: a [`Moment`].
    seen: AtomicI64,
}

impl<O> Kept<O> {
    pub(super) fn new(key_hash: KeyHash, record: Record, others: Others, owner: O) -> Self {
        Self { key_hash, record, others, owner, seen: AtomicI64::new(i64::MIN) }
    }

    /// Whether at `now` it still says what the row said. What it does not, is read again: memory never says that a
    /// session has ended, and never outlives the row it was read from, because who revokes a row that has run out
    /// writes and announces nothing.
    pub(super) fn holds(&self, now: Moment) -> bool {
        now < self.record.expires_at && now < self.others.until
    }

    /// It is seen at `now`. Whether that is to be written down: once an interval.
    pub(super) fn is_due(&self, now: Moment, interval: Duration) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        let last = self.record.last_seen_at.max(Moment(seen));
        // Of several requests at once one writes.
        now.since(last) >= interval
            && self.seen.compare_exchange(seen, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl<O> Entry for Kept<O> {
    fn key(&self) -> &KeyHash {
        &self.key_hash
    }

    fn principal(&self) -> Principal {
        self.record.principal
    }

    fn last_used(&self) -> i64 {
        self.seen.load(Ordering::Relaxed).max(self.record.last_seen_at.0)
    }
}

/// A session that is live in this request, with its owner. Cloning shares what was read.
pub struct Live<O> {
    pub(super) kept: Arc<Kept<O>>,
    /// The database's time: what the session's clocks are compared with.
    pub(super) now: Moment,
}

impl<O> Clone for Live<O> {
    fn clone(&self) -> Self {
        Self { kept: Arc::clone(&self.kept), now: self.now }
    }
}

impl<O> Deref for Live<O> {
    type Target = Kept<O>;

    fn deref(&self) -> &Kept<O> {
        &self.kept
    }
}

impl<O> Live<O> {
    pub fn now(&self) -> OffsetDateTime {
        self.now.into()
    }

    /// The same as the database has it.
    pub fn moment(&self) -> Moment {
        self.now
    }

    /// Whether the owner proved themselves within the last `window`.
    pub fn confirmed_within(&self, window: Duration) -> bool {
        self.now.since(self.record.confirmed_at) <= window
    }

    pub(super) fn state_with_principal(&self, identity_key: &str) -> HashMap<String, String> {
        let mut state = self.record.state.to_map();
        state.insert(identity_key.to_owned(), format!("\"{}\"", self.record.principal));
        state
    }
}
