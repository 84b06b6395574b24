//! A scoped key: a further key of a session that opens one scope of the application, and nothing else.
//!
//! A scope is an opaque id: the application decides what it stands for, such as another web application behind the same
//! log-in. A scoped key has no expiry time of its own. It works as long as its session lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use diesel::prelude::*;
use latchkey_db::time::Moment;
use uuid::Uuid;

use super::KeyHash;
use super::cache::Entry;
use super::ids::{Handle, Principal};
use super::record::{CachedSession, LiveSession};
use crate::schema::session_keys;

/// A live session that was found by one of its scoped keys.
pub struct ScopedSession<O> {
    /// The session and its owner, as [`Store::find`](crate::Store::find) returns them.
    pub live: LiveSession<O>,
    /// The origin that the key was opened for.
    pub origin: Arc<str>,
    /// When the owner last proved their identity before the key was opened. Later proofs, in the session or for another
    /// key, do not change it.
    pub proved_at: Moment,
}

impl<O> ScopedSession<O> {
    /// Whether the owner made that proof within the last `window`.
    pub fn proved_within(&self, window: Duration) -> bool {
        self.live.now.since(self.proved_at) <= window
    }
}

/// Whether a lookup counts as a use of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The owner did something: the idle clock restarts.
    Counts,
    /// The page did something by itself. The use is not recorded, so it does not keep the session alive.
    Background,
}

/// A scoped key as [`Store::scoped_keys`](crate::Store::scoped_keys) lists it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = session_keys, check_for_backend(diesel::pg::Pg))]
pub struct ScopedKeyRecord {
    /// Its session.
    #[diesel(column_name = session)]
    pub session: Handle,
    /// What it opens.
    pub scope: Uuid,
    /// The origin that it was opened for.
    pub origin: String,
    /// When it was opened.
    pub created_at: Moment,
    /// When it was last used, as exact as [`Policy::touch_every`](super::Policy::touch_every).
    pub last_seen_at: Moment,
}

/// The scope and origin of a key. Many users share them, so they are stored once.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct KeyScope {
    pub(crate) scope: Uuid,
    pub(crate) origin: Arc<str>,
}

/// A scoped key as it was read, with its session. It stays valid until a change of the session's principal is
/// announced. The cache stores this value inline, without an allocation for each key.
pub(crate) struct CachedKey<O> {
    key_hash: KeyHash,
    place: Arc<KeyScope>,
    /// Shared with the cache of sessions, if the session is cached there.
    session: Arc<CachedSession<O>>,
    proved_at: Moment,
    /// When it was last used, as the row says or as this instance has noted since: a [`Moment`].
    seen: AtomicI64,
}

/// A scoped key as it was just read, with its session.
pub(crate) struct FoundKey<O> {
    pub(crate) key_hash: KeyHash,
    pub(crate) place: Arc<KeyScope>,
    pub(crate) proved_at: Moment,
    pub(crate) last_seen_at: Moment,
    pub(crate) live: LiveSession<O>,
}

impl<O> FoundKey<O> {
    pub(crate) fn to_cached(&self) -> CachedKey<O> {
        CachedKey {
            key_hash: self.key_hash,
            place: Arc::clone(&self.place),
            session: Arc::clone(&self.live.cached),
            proved_at: self.proved_at,
            seen: AtomicI64::new(self.last_seen_at.0),
        }
    }

    pub(crate) fn into_session(self) -> ScopedSession<O> {
        ScopedSession { live: self.live, origin: Arc::clone(&self.place.origin), proved_at: self.proved_at }
    }
}

impl<O> CachedKey<O> {
    pub(crate) fn scope(&self) -> Uuid {
        self.place.scope
    }

    /// The session at `now`; `None` if it must be read again.
    pub(crate) fn session_at(&self, now: Moment) -> Option<ScopedSession<O>> {
        self.session.is_current(now).then(|| ScopedSession {
            live: LiveSession { cached: Arc::clone(&self.session), now },
            origin: Arc::clone(&self.place.origin),
            proved_at: self.proved_at,
        })
    }

    /// Records a use at `now`. Returns whether to write it to the database, which is true once per interval.
    pub(crate) fn note_use(&self, now: Moment, interval: Duration) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        // Only one of several concurrent requests writes.
        now.since(Moment(seen)) >= interval
            && self.seen.compare_exchange(seen, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl<O> Entry for CachedKey<O> {
    fn key(&self) -> &KeyHash {
        &self.key_hash
    }

    fn principal(&self) -> Principal {
        self.session.record.principal
    }

    fn last_used(&self) -> i64 {
        self.seen.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cached_key_is_no_larger_than_eight_words() {
        assert_eq!(size_of::<CachedKey<()>>(), 64);
    }
}
