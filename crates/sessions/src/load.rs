//! Reads sessions and scoped keys from Postgres, many at once.

use std::sync::Arc;

use actix_web::rt;
use latchkey_db::Fault;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::batch::{self, Batch};
use super::batch_loader::{Answer, Lookup, Wanted};
use super::cache::Generation;
use super::inner::StoreInner;
use super::record::CachedSession;
use super::scoped_key::FoundKey;
use super::{KeyHash, LiveSession, Owner, Store};

/// Queries at the same time: while one waits for the network, another is prepared.
const CONCURRENT_QUERIES: usize = 2;

/// A query that ended without an answer is repeated this often.
const ATTEMPTS: usize = 3;

/// Runs queries until no lookup waits. If it is dropped earlier (its worker stops), the waiting lookups are notified.
struct BatchRunner<O: Owner> {
    store: Store<O>,
    done: bool,
}

impl<O: Owner> Drop for BatchRunner<O> {
    fn drop(&mut self) {
        if !self.done {
            let mut queue = self.store.shared.loader.queue();
            queue.running -= 1;
            // Dropping their senders makes them try again.
            queue.waiting.clear();
        }
    }
}

impl<O: Owner> Store<O> {
    /// The session of `key` as the database has it.
    pub(super) async fn load_session(&self, key: KeyHash) -> Answer<LiveSession<O>> {
        self.load_from_database(key, Wanted::Session).await
    }

    /// The same for a scoped key.
    pub(super) async fn load_scoped(&self, key: KeyHash) -> Answer<FoundKey<O>> {
        self.load_from_database(key, Wanted::Scoped).await
    }

    async fn load_from_database<T>(
        &self,
        key: KeyHash,
        wanted: fn(oneshot::Sender<Answer<T>>) -> Wanted<O>,
    ) -> Answer<T> {
        // Longer than two queries may take: the one that runs and the next one.
        let answer_within = self.db.longest_wait();
        for _ in 0..ATTEMPTS {
            let (answer, answered) = oneshot::channel();
            let first = {
                let mut queue = self.shared.loader.queue();
                queue.waiting.push(Lookup { key, wanted: wanted(answer) });
                let first = queue.running < CONCURRENT_QUERIES;
                queue.running += usize::from(first);
                first
            };
            if first {
                rt::spawn(BatchRunner { store: self.clone(), done: false }.run());
            }
            match timeout(answer_within, answered).await {
                Ok(Ok(answer)) => return answer,
                // The runner was dropped with its worker.
                Ok(Err(_)) => {}
                Err(_) => {
                    return Err(Fault::Unavailable("the database does not answer lookups in time".into()));
                }
            }
        }
        Err(Fault::Unavailable("the session cannot be read while this server stops".into()))
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
                Wanted::Session(answer) => drop(answer.send(answered(&found, |found| found.session(&key)))),
                Wanted::Scoped(answer) => drop(answer.send(answered(&found, |found| found.key(&key)))),
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

fn answered<O, T>(
    found: &Result<Batch<O>, Fault>,
    of_key: impl FnOnce(&Batch<O>) -> Option<Result<T, Fault>>,
) -> Answer<T> {
    match found {
        Ok(found) => of_key(found).transpose(),
        Err(fault) => Err(fault.clone()),
    }
}
