//! The lookups that wait for Postgres. Lookups that arrive while a query runs share the next query; `load.rs` runs those
//! of sessions, `leased_load.rs` those of the application's own entries.
//!
//! A lookup joins only a query that has not begun. So its answer was true at some moment after it was requested, even
//! if a session was revoked meanwhile.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchkey_db::Fault;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Keys in one query: more than the connections of one worker request at once.
const MAX_KEYS: usize = 256;

/// Queries at the same time: while one waits for the network, another is prepared.
const CONCURRENT_QUERIES: usize = 2;

/// How often a lookup is tried if its query ends without an answer.
const ATTEMPTS: usize = 3;

pub(super) type LookupResult<T> = Result<Option<T>, Fault>;

/// A lookup in the queue.
pub(super) trait QueuedLookup {
    /// Whether no request waits for the answer any more.
    fn is_closed(&self) -> bool;
}

/// The lookups that wait for the next query, and how many queries run.
pub(crate) struct BatchLoader<L>(Mutex<Queue<L>>);

struct Queue<L> {
    waiting: Vec<L>,
    running: usize,
}

impl<L> Default for BatchLoader<L> {
    fn default() -> Self {
        Self(Mutex::new(Queue { waiting: Vec::new(), running: 0 }))
    }
}

impl<L: QueuedLookup> BatchLoader<L> {
    /// Adds a lookup. `true`: the caller starts a runner, which calls [`BatchLoader::next`] until there is none.
    pub(super) fn add(&self, lookup: L) -> bool {
        let mut queue = self.queue();
        queue.waiting.push(lookup);
        let starts = queue.running < CONCURRENT_QUERIES;
        queue.running += usize::from(starts);
        starts
    }

    /// The lookups of the next query. With `None`, one query fewer runs.
    pub(super) fn next(&self) -> Option<Vec<L>> {
        let mut queue = self.queue();
        // A client that has disconnected needs no answer.
        queue.waiting.retain(|lookup| !lookup.is_closed());
        if queue.waiting.is_empty() {
            queue.running -= 1;
            return None;
        }
        let rest = queue.waiting.len().min(MAX_KEYS);
        let rest = queue.waiting.split_off(rest);
        Some(mem::replace(&mut queue.waiting, rest))
    }

    /// A runner was dropped before it was done, because its worker stops.
    pub(super) fn abandon(&self) {
        let mut queue = self.queue();
        queue.running -= 1;
        // Dropping their senders makes them try again.
        queue.waiting.clear();
    }

    fn queue(&self) -> MutexGuard<'_, Queue<L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls `ask` to put a lookup into the queue, and waits for the answer.
///
/// * `answer_within`: longer than two queries may take, the one that runs and the next one.
pub(super) async fn answered<T>(
    answer_within: Duration,
    ask: impl Fn(oneshot::Sender<LookupResult<T>>),
) -> LookupResult<T> {
    for _ in 0..ATTEMPTS {
        let (answer, answered) = oneshot::channel();
        ask(answer);
        match timeout(answer_within, answered).await {
            Ok(Ok(answer)) => return answer,
            // The runner was dropped with its worker.
            Ok(Err(_)) => {}
            Err(_) => {
                return Err(Fault::Unavailable("the database does not answer lookups in time".into()));
            }
        }
    }
    Err(Fault::Unavailable("nothing can be looked up while this server stops".into()))
}
