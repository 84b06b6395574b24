//! Reads sessions from Postgres, many with one query.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::rt;
use diesel::pg::PgConnection;
use latchkey_db::Fault;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::batch_loader::{Answer, Lookup};
use super::cache::Generation;
use super::inner::StoreInner;
use super::record::CachedSession;
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
    pub(super) async fn load_from_database(&self, key: KeyHash) -> Answer<O> {
        // Longer than two queries may take: the one that runs and the next one.
        let answer_within = self.db.longest_wait();
        for _ in 0..ATTEMPTS {
            let (answer, answered) = oneshot::channel();
            let first = {
                let mut queue = self.shared.loader.queue();
                queue.waiting.push(Lookup { key, answer });
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

impl<O: Owner> BatchRunner<O> {
    async fn run(mut self) {
        let Self { store, done } = &mut self;
        while let Some(lookups) = store.shared.loader.next() {
            // Taken before anything is read: a later announcement refuses the insertion of what was read before it.
            let generation = store.shared.cache.generation();
            let keys: Vec<KeyHash> = lookups.iter().map(|lookup| lookup.key).collect();
            let found = store.db.read(move |conn| load::<O>(conn, &keys)).await;
            store.shared.answer(found, lookups, generation);
        }
        *done = true;
    }
}

type LoadedSessions<O> = HashMap<KeyHash, Result<LiveSession<O>, Fault>>;

/// One query for all `keys`. If a row cannot be read, the others are read without it.
fn load<O: Owner>(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<LoadedSessions<O>, Fault> {
    let found = match O::load(conn, keys) {
        Err(fault @ Fault::Bug(_)) => match keys {
            [key] => return Ok(LoadedSessions::from([(*key, Err(fault))])),
            _ => keys
                .iter()
                .map(|key| load(conn, &[*key]))
                .collect::<Result<Vec<LoadedSessions<O>>, Fault>>()?,
        },
        found => return Ok(found?.into_iter().map(|live| (live.key_hash, Ok(live))).collect()),
    };
    Ok(found.into_iter().flatten().collect())
}

impl<O> StoreInner<O> {
    /// Caches what was found, and answers the lookups.
    fn answer(
        &self,
        mut found: Result<LoadedSessions<O>, Fault>,
        lookups: Vec<Lookup<O>>,
        generation: Generation,
    ) {
        for live in found.iter_mut().flat_map(HashMap::values_mut).flatten() {
            if let Some(CachedSession { record, .. }) = Arc::get_mut(&mut live.cached) {
                self.interner.intern(&mut record.factor);
                self.interner.intern(&mut record.user_agent);
            }
            self.cache.insert(Arc::clone(&live.cached), generation);
        }
        for Lookup { key, answer } in lookups {
            let answered = match &found {
                Ok(found) => found.get(&key).cloned().transpose(),
                Err(fault) => Err(fault.clone()),
            };
            // The receiver is gone if its client is.
            let _ = answer.send(answered);
        }
    }
}
