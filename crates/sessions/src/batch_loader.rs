//! The lookups that wait for Postgres. Lookups that arrive while a query runs share the next query; `load.rs` runs it.
//!
//! A lookup joins only a query that has not begun. So its answer was true at some moment after it was requested, even
//! if a session was revoked meanwhile.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use latchkey_db::Fault;
use tokio::sync::oneshot;

use super::scoped_key::FoundKey;
use super::{KeyHash, LiveSession};

/// Keys in one query: more than the connections of one worker request at once.
const MAX_KEYS: usize = 256;

pub(super) type Answer<T> = Result<Option<T>, Fault>;

pub(super) struct Lookup<O> {
    pub(super) key: KeyHash,
    pub(super) wanted: Wanted<O>,
}

/// What kind of key is looked up, and where the answer goes.
pub(super) enum Wanted<O> {
    /// The session's own key.
    Session(oneshot::Sender<Answer<LiveSession<O>>>),
    /// A scoped key.
    Scoped(oneshot::Sender<Answer<FoundKey<O>>>),
}

impl<O> Wanted<O> {
    fn is_closed(&self) -> bool {
        match self {
            Self::Session(answer) => answer.is_closed(),
            Self::Scoped(answer) => answer.is_closed(),
        }
    }
}

/// The lookups that wait for the next query, and how many queries run.
pub(crate) struct BatchLoader<O>(Mutex<Queue<O>>);

pub(super) struct Queue<O> {
    pub(super) waiting: Vec<Lookup<O>>,
    pub(super) running: usize,
}

impl<O> Default for BatchLoader<O> {
    fn default() -> Self {
        Self(Mutex::new(Queue { waiting: Vec::new(), running: 0 }))
    }
}

impl<O> BatchLoader<O> {
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue<O>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lookups of the next query. With `None`, one query fewer runs.
    pub(super) fn next(&self) -> Option<Vec<Lookup<O>>> {
        let mut queue = self.queue();
        // A client that has disconnected needs no answer.
        queue.waiting.retain(|lookup| !lookup.wanted.is_closed());
        if queue.waiting.is_empty() {
            queue.running -= 1;
            return None;
        }
        let rest = queue.waiting.len().min(MAX_KEYS);
        let rest = queue.waiting.split_off(rest);
        Some(mem::replace(&mut queue.waiting, rest))
    }
}
