//! Reads sessions and scoped keys from Postgres, many at once.

use std::sync::Arc;

use actix_web::rt;
use latchkey_db::Fault;
use tokio::sync::oneshot;

use super::batch::{self, Batch};
use super::batch_loader::{LookupResult, answered};
use super::cache::Generation;
use super::inner::StoreInner;
use super::lookup::{Lookup, Wanted};
use super::record::CachedSession;
use super::scoped_key::FoundKey;
use super::{KeyHash, LiveSession, Owner, Store};

/// Runs queries until no lookup waits. If it is dropped earlier (its worker stops), the waiting lookups are notified.
struct BatchRunner<O: Owner> {
    store: Store<O>,
    done: bool,
}

impl<O: Owner> Drop for BatchRunner<O> {
    fn drop(&mut self) {
        if !self.done {
            self.store.shared.loader.abandon();
        }
    }
}

impl<O: Owner> Store<O> {
    /// The session of `key` as the database has it.
    pub(super) async fn load_session(&self, key: KeyHash) -> LookupResult<LiveSession<O>> {
        self.load_from_database(key, Wanted::Session).await
    }

    /// The same for a scoped key.
    pub(super) async fn load_scoped(&self, key: KeyHash) -> LookupResult<FoundKey<O>> {
        self.load_from_database(key, Wanted::Scoped).await
    }

    async fn load_from_database<T>(
        &self,
        key: KeyHash,
        wanted: fn(oneshot::Sender<LookupResult<T>>) -> Wanted<O>,
    ) -> LookupResult<T> {
        let ask = |answer| {
            if self.shared.loader.add(Lookup { key, wanted: wanted(answer) }) {
                rt::spawn(BatchRunner { store: self.clone(), done: false }.run());
            }
        };
        answered(self.db.longest_wait(), ask).await
    }
}

/// The generations of both caches, taken before anything is read: if a change is announced after that, nothing that was
/// read is inserted.
struct Generations {
    sessions: Generation,
    keys: Generation,
}

impl<O: Owner> BatchRunner<O> {
    async fn run(mut self) {
        let Self { store, done } = &mut self;
        while let Some(lookups) = store.shared.loader.next() {
            let generations = Generations {
                sessions: store.shared.cache.generation(),
                keys: store.shared.scoped_keys.generation(),
            };
            let (mut sessions, mut keys) = (Vec::new(), Vec::new());
            for Lookup { key, wanted } in &lookups {
                match wanted {
                    Wanted::Session(_) => sessions.push(*key),
                    Wanted::Scoped(_) => keys.push(*key),
                }
            }
            let shared = Arc::clone(&store.shared);
            let found = store.db.read(move |conn| batch::read(conn, &shared, &sessions, &keys)).await;
            store.shared.answer(found, lookups, &generations);
        }
        *done = true;
    }
}

impl<O> StoreInner<O> {
    /// Caches what was found, and answers the lookups.
    fn answer(&self, found: Result<Batch<O>, Fault>, lookups: Vec<Lookup<O>>, generations: &Generations) {
        let found = found.map(|mut found| {
            self.cache_sessions(&mut found, generations.sessions);
            self.cache_keys(&mut found, generations.keys);
            found
        });
        for Lookup { key, wanted } in lookups {
            // The receiver is dropped if the request was cancelled.
            match wanted {
                Wanted::Session(answer) => drop(answer.send(taken(&found, |found| found.session(&key)))),
                Wanted::Scoped(answer) => drop(answer.send(taken(&found, |found| found.key(&key)))),
            }
        }
    }

    fn cache_sessions(&self, found: &mut Batch<O>, generation: Generation) {
        for live in found.sessions.values_mut().flatten() {
            // A session that is already shared comes from the cache.
            if let Some(CachedSession { record, .. }) = Arc::get_mut(&mut live.cached) {
                self.logins.intern(&mut record.login.0);
                self.cache.insert(Arc::clone(&live.cached), generation);
            }
        }
    }

    fn cache_keys(&self, found: &mut Batch<O>, generation: Generation) {
        found.keys.values_mut().for_each(|key| self.places.intern(&mut key.place));
        for found in found.keys.keys().filter_map(|key| found.key(key)?.ok()) {
            self.scoped_keys.insert(found.to_cached(), generation);
        }
    }
}

fn taken<O, T>(
    found: &Result<Batch<O>, Fault>,
    of_key: impl FnOnce(&Batch<O>) -> Option<Result<T, Fault>>,
) -> LookupResult<T> {
    match found {
        Ok(found) => of_key(found).transpose(),
        Err(fault) => Err(fault.clone()),
    }
}
