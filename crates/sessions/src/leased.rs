//! What an application provides for a leased cache, and what it gets back.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use diesel::pg::PgConnection;
use latchkey_db::Fault;
use latchkey_db::time::Moment;

use super::cache::Entry;
use super::record::MAX_AGE;
use super::{KeyHash, Principal};

/// Data of the application that is found by a secret and belongs to a principal, such as an API token. See
/// [`Store::leased_cache`](crate::Store::leased_cache).
pub trait LeasedEntry: Sized + Send + Sync + 'static {
    /// The rows of `keys` that exist: one query for all of them.
    ///
    /// Every change of what this reads must be announced as a change of the row's principal, except a new row and its last
    /// use; see the README.
    ///
    /// # Errors
    /// Those of the query. After [`Fault::Bug`] for an invalid row, the other keys are read without it.
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LeasedRow<Self>>, Fault>;

    /// Writes when `rows` were last used, and returns how many changed. The rows are in the order of their keys. Skip those
    /// that are locked, and never go back in time.
    ///
    /// # Errors
    /// Those of the query. What was not written is kept for the next flush.
    fn touch(conn: &mut PgConnection, rows: &[(KeyHash, Moment)]) -> Result<usize, Fault>;
}

/// A row that [`LeasedEntry::load`] has read.
pub struct LeasedRow<E> {
    /// The hash by which it is found.
    pub key: KeyHash,
    /// Whose changes invalidate it.
    pub principal: Principal,
    /// `None`: the row exists but is not valid at present, for example because its owner is disabled.
    pub entry: Option<E>,
    /// From this time on it is not found. The time of a row must never change.
    pub expires_at: Moment,
    /// When it was last used; `None`: never.
    pub last_used_at: Option<Moment>,
    /// The database's time of the query.
    pub read_at: Moment,
}

/// An entry that was found. Cloning shares it.
pub struct Leased<E> {
    entry: Arc<E>,
    now: Moment,
}

impl<E> Leased<E> {
    /// The database's time.
    pub fn now(&self) -> Moment {
        self.now
    }
}

impl<E> Clone for Leased<E> {
    fn clone(&self) -> Self {
        Self { entry: Arc::clone(&self.entry), now: self.now }
    }
}

impl<E> Deref for Leased<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.entry
    }
}

/// A row that was not used yet.
const NEVER: Moment = Moment(i64::MIN);

/// A row in the cache. It stays valid until a change of its principal is announced. The cache stores it inline.
pub(super) struct CachedRow<E> {
    key: KeyHash,
    principal: Principal,
    entry: Option<Arc<E>>,
    expires_at: Moment,
    read_at: Moment,
    /// When it was last used, as the row says or as this instance has noted since: a [`Moment`].
    seen: AtomicI64,
}

impl<E> CachedRow<E> {
    pub(super) fn new(row: LeasedRow<E>) -> Self {
        let LeasedRow { key, principal, entry, expires_at, last_used_at, read_at } = row;
        let seen = AtomicI64::new(last_used_at.unwrap_or(NEVER).0);
        Self { key, principal, entry: entry.map(Arc::new), expires_at, read_at, seen }
    }

    /// Whether at `now` it may still answer. If not, the row is read again: a second safeguard, as for sessions.
    pub(super) fn is_current(&self, now: Moment) -> bool {
        now < self.read_at.plus(MAX_AGE)
    }

    /// The answer at the time it was read.
    pub(super) fn as_read(&self) -> FoundRow<E> {
        let seen = self.seen.load(Ordering::Relaxed);
        FoundRow { entry: self.entry_at(self.read_at), seen: Moment(seen), read_at: self.read_at }
    }

    /// The entry at `now`; `None`: it has expired, or is not valid at present.
    pub(super) fn entry_at(&self, now: Moment) -> Option<Leased<E>> {
        let entry = self.entry.as_ref().filter(|_| now < self.expires_at)?;
        Some(Leased { entry: Arc::clone(entry), now })
    }

    /// Records a use at `now`. Returns whether to write it to the database, which is true once per interval.
    pub(super) fn note_use(&self, now: Moment, interval: Duration) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        // Only one of several concurrent requests writes.
        is_due(Moment(seen), now, interval)
            && self.seen.compare_exchange(seen, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Whether a use at `now` is to be written, if the last one was at `seen`.
fn is_due(seen: Moment, now: Moment, interval: Duration) -> bool {
    seen == NEVER || now.since(seen) >= interval
}

/// A row that was just read. It may not have been cached.
pub(super) struct FoundRow<E> {
    pub(super) entry: Option<Leased<E>>,
    seen: Moment,
    read_at: Moment,
}

impl<E> Clone for FoundRow<E> {
    fn clone(&self) -> Self {
        Self { entry: self.entry.clone(), seen: self.seen, read_at: self.read_at }
    }
}

impl<E> FoundRow<E> {
    /// Whether a use at the time it was read is to be written.
    pub(super) fn use_is_due(&self, interval: Duration) -> bool {
        is_due(self.seen, self.read_at, interval)
    }
}

impl<E> Entry for CachedRow<E> {
    fn key(&self) -> &KeyHash {
        &self.key
    }

    fn principal(&self) -> Principal {
        self.principal
    }

    fn last_used(&self) -> i64 {
        self.seen.load(Ordering::Relaxed)
    }
}
