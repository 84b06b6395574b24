//! Reads the entries of a leased cache from Postgres, many at once, as `load.rs` does for sessions.

use std::sync::Arc;

use actix_web::rt;
use latchkey_db::counters::Counter;
use latchkey_db::{Db, Fault};
use tokio::sync::oneshot;

use super::batch_loader::{BatchLoader, LookupResult, QueuedLookup, answered};
use super::cache::{Cache, Generation};
use super::leased::{CachedRow, FoundRow, LeasedEntry, LeasedRow};
use super::load_each::{LoadedRows, load_each};
use super::touches::Touches;
use super::unknown_keys::UnknownKeys;
use super::write_touches::{WriteFuture, WriteTouches, write_touches};
use super::{Changes, KeyHash, Observer};

/// Keys without a row that are remembered: about 200 KiB.
const MAX_UNKNOWN: usize = 4096;

/// Metrics of a leased cache since the start.
#[derive(Default)]
pub struct LeasedCounters {
    /// Lookups answered from memory.
    pub hits: Counter,
    /// Lookups answered from memory, because the key was looked up shortly before and has no row.
    pub unknown: Counter,
    /// Lookups of keys that were not in memory, or while the instance had no lease.
    pub misses: Counter,
}

/// What the clones of a leased cache share.
pub(super) struct LeasedInner<E> {
    pub(super) rows: Cache<CachedRow<E>>,
    pub(super) unknown: UnknownKeys,
    pub(super) touches: Touches<KeyHash>,
    pub(super) counts: LeasedCounters,
    loader: BatchLoader<LeasedLookup<E>>,
}

struct LeasedLookup<E> {
    key: KeyHash,
    answer: oneshot::Sender<LookupResult<FoundRow<E>>>,
}

impl<E> QueuedLookup for LeasedLookup<E> {
    fn is_closed(&self) -> bool {
        self.answer.is_closed()
    }
}

/// Runs queries until no lookup waits. If it is dropped earlier (its worker stops), the waiting lookups are notified.
struct LeasedRunner<E: LeasedEntry> {
    db: Db,
    inner: Arc<LeasedInner<E>>,
    done: bool,
}

impl<E: LeasedEntry> Drop for LeasedRunner<E> {
    fn drop(&mut self) {
        if !self.done {
            self.inner.loader.abandon();
        }
    }
}

/// Taken before anything is read: if a change is announced after that, nothing that was read is inserted.
struct LeasedGenerations {
    rows: Generation,
    unknown: u64,
}

impl<E: LeasedEntry> LeasedInner<E> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            rows: Cache::new(capacity),
            unknown: UnknownKeys::new(capacity.min(MAX_UNKNOWN)),
            touches: Touches::default(),
            counts: LeasedCounters::default(),
            loader: BatchLoader::default(),
        }
    }

    /// The row of `key` as the database has it.
    pub(super) async fn load(self: &Arc<Self>, db: &Db, key: KeyHash) -> LookupResult<FoundRow<E>> {
        let ask = |answer| {
            if self.loader.add(LeasedLookup { key, answer }) {
                rt::spawn(LeasedRunner { db: db.clone(), inner: Arc::clone(self), done: false }.run());
            }
        };
        answered(db.longest_wait(), ask).await
    }

    /// Caches what was found, and what was not, and answers the lookups.
    fn answer(
        &self,
        found: Result<LoadedRows<LeasedRow<E>>, Fault>,
        lookups: Vec<LeasedLookup<E>>,
        seen: &LeasedGenerations,
    ) {
        let found: Result<LoadedRows<FoundRow<E>>, Fault> = found.map(|rows| {
            let rows = rows.into_iter().map(|(key, row)| (key, row.map(|row| self.keep(row, seen.rows))));
            rows.collect()
        });
        if let Ok(found) = &found {
            let absent = lookups.iter().map(|lookup| lookup.key).filter(|key| !found.contains_key(key));
            self.unknown.insert(absent, seen.unknown);
        }
        for LeasedLookup { key, answer } in lookups {
            let result = match &found {
                Ok(found) => found.get(&key).cloned().transpose(),
                Err(fault) => Err(fault.clone()),
            };
            // The receiver is dropped if the request was cancelled.
            let _ = answer.send(result);
        }
    }

    fn keep(&self, row: LeasedRow<E>, seen: Generation) -> FoundRow<E> {
        let row = CachedRow::new(row);
        let found = row.as_read();
        self.rows.insert(row, seen);
        found
    }
}

impl<E: LeasedEntry> LeasedRunner<E> {
    async fn run(mut self) {
        let Self { db, inner, done } = &mut self;
        while let Some(lookups) = inner.loader.next() {
            let seen =
                LeasedGenerations { rows: inner.rows.generation(), unknown: inner.unknown.generation() };
            let keys: Vec<KeyHash> = lookups.iter().map(|lookup| lookup.key).collect();
            let found =
                db.read(move |conn| load_each(conn, &keys, E::load, |row: &LeasedRow<E>| row.key)).await;
            inner.answer(found, lookups, &seen);
        }
        *done = true;
    }
}

impl<E: LeasedEntry> Observer for LeasedInner<E> {
    fn invalidated(&self, changes: Changes<'_>) {
        match changes {
            Changes::Principals(principals) => self.rows.remove_all_of(principals),
            Changes::Everything => {
                self.rows.clear();
                self.unknown.clear();
            }
        }
    }
}

impl<E: LeasedEntry> WriteTouches for LeasedInner<E> {
    fn write<'f>(&'f self, db: &'f Db) -> WriteFuture<'f> {
        Box::pin(write_touches(db, &self.touches, |conn, rows| E::touch(conn, rows)))
    }
}
