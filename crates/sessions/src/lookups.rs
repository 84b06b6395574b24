//! Reading sessions from Postgres: lookups that come while one query runs go out together in the next.
//!
//! A lookup only ever joins a query that has not begun. So what it is told was true after it asked, whatever
//! was revoked in between, and nobody has to tell queries apart by when they began.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::rt;
use diesel::pg::PgConnection;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::cache::Generation;
use super::record::Kept;
use super::{KeyHash, Live, Owner, Sessions, Shared};
use latchkey_db::Fault;

/// Queries at the same time: while one waits for the network another is prepared.
const AT_ONCE: usize = 2;

/// Keys in one query: more than a worker's connections ask for at a time.
const MOST_KEYS: usize = 256;

type Answer<O> = Result<Option<Live<O>>, Fault>;

struct Lookup<O> {
    key: KeyHash,
    answer: oneshot::Sender<Answer<O>>,
}

/// Lookups that wait for the next query, and how many queries run.
pub struct Lookups<O>(Mutex<Queue<O>>);

struct Queue<O> {
    waiting: Vec<Lookup<O>>,
    running: usize,
}

impl<O> Default for Lookups<O> {
    fn default() -> Self {
        Self(Mutex::new(Queue { waiting: Vec::new(), running: 0 }))
    }
}

impl<O> Lookups<O> {
    fn queue(&self) -> MutexGuard<'_, Queue<O>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next lookups to be answered together; with none left, one query fewer runs.
    fn next(&self) -> Option<Vec<Lookup<O>>> {
        let mut queue = self.queue();
        // Whose client has gone away wants no answer any more.
        queue.waiting.retain(|lookup| !lookup.answer.is_closed());
        if queue.waiting.is_empty() {
            queue.running -= 1;
            return None;
        }
        let rest = queue.waiting.len().min(MOST_KEYS);
        let rest = queue.waiting.split_off(rest);
        Some(mem::replace(&mut queue.waiting, rest))
    }
}

/// Runs queries until nobody waits. Whatever ends it early, even before it has begun (its worker stops), those who
/// wait are told.
struct Runner<O: Owner>(Sessions<O>, bool);

impl<O: Owner> Drop for Runner<O> {
    fn drop(&mut self) {
        if !self.1 {
            let mut queue = self.0.shared.lookups.queue();
            queue.running -= 1;
            // Their senders go with them, so that they begin anew.
            queue.waiting.clear();
        }
    }
}

impl<O: Owner> Sessions<O> {
    /// What the database says of `key`.
    pub(super) async fn look_up(&self, key: KeyHash) -> Answer<O> {
        // For a query that runs and for our own: longer than either waits for the database.
        let answer_within = self.db.longest_wait();
        // Whoever ran the query may have been stopped with its worker: then ask again.
        for _ in 0..3 {
            let (answer, answered) = oneshot::channel();
            let first = {
                let mut queue = self.shared.lookups.queue();
                queue.waiting.push(Lookup { key, answer });
                let first = queue.running < AT_ONCE;
                queue.running += usize::from(first);
                first
            };
            if first {
                rt::spawn(Runner(self.clone(), false).run());
            }
            match timeout(answer_within, answered).await {
                Ok(Ok(answer)) => return answer,
                Ok(Err(_)) => {}
                Err(_) => {
                    return Err(Fault::Unavailable("the database does not answer lookups in time".into()));
                }
            }
        }
        Err(Fault::Unavailable("the session cannot be read while this server stops".into()))
    }
}

impl<O: Owner> Runner<O> {
    async fn run(mut self) {
        let Self(sessions, done) = &mut self;
        while let Some(lookups) = sessions.shared.lookups.next() {
            // Before anything is read: what is announced from here on refuses what was read before it.
            let generation = sessions.shared.cache.generation();
            let keys: Vec<KeyHash> = lookups.iter().map(|lookup| lookup.key).collect();
            let found = sessions.db.read(move |conn| load::<O>(conn, &keys)).await;
            sessions.shared.distribute(found, lookups, generation);
        }
        *done = true;
    }
}

type Found<O> = HashMap<KeyHash, Result<Live<O>, Fault>>;

/// One query for all `keys`. Where one row of it cannot be made sense of, the others are read without it.
fn load<O: Owner>(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Found<O>, Fault> {
    let found = match O::load(conn, keys) {
        Err(fault @ Fault::Bug(_)) => match keys {
            [key] => return Ok(Found::from([(*key, Err(fault))])),
            _ => keys.iter().map(|key| load(conn, &[*key])).collect::<Result<Vec<Found<O>>, Fault>>()?,
        },
        found => return Ok(found?.into_iter().map(|live| (live.key_hash, Ok(live))).collect()),
    };
    Ok(found.into_iter().flatten().collect())
}

impl<O> Shared<O> {
    fn distribute(
        &self,
        mut found: Result<Found<O>, Fault>,
        lookups: Vec<Lookup<O>>,
        generation: Generation,
    ) {
        for live in found.iter_mut().flat_map(HashMap::values_mut).flatten() {
            if let Some(Kept { record, .. }) = Arc::get_mut(&mut live.kept) {
                self.texts.share(&mut record.factor);
                self.texts.share(&mut record.user_agent);
            }
            self.cache.insert(Arc::clone(&live.kept), generation);
        }
        for Lookup { key, answer } in lookups {
            let answered = match &found {
                Ok(found) => found.get(&key).cloned().transpose(),
                Err(fault) => Err(fault.clone()),
            };
            // A receiver that is gone belonged to a client that is gone.
            let _ = answer.send(answered);
        }
    }
}
