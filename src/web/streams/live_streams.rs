//! The streams of this process, and the changes that mark them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use latchkey_sessions::{ActiveStream, Changes, Observer, StreamEnd, Streams};
use tokio::sync::mpsc::UnboundedSender;

use super::facts::StreamFacts;
use crate::accounts::Accounts;
use crate::apps::announces_apps;
use crate::db::time::Moment;

/// Streams that have to be decided again, because they were marked.
pub(super) struct MarkedStreams {
    pub since: Instant,
    pub streams: Vec<Arc<ActiveStream<StreamFacts>>>,
}

/// Requests that are being passed on to apps.
pub struct LiveStreams {
    pub(super) streams: Arc<Streams<StreamFacts>>,
    pub(super) accounts: Accounts,
    /// Takes the streams that have to be decided again.
    queue: UnboundedSender<MarkedStreams>,
    stopping: AtomicBool,
}

impl LiveStreams {
    /// * `queue`: takes the streams that have to be decided again.
    pub(super) fn new(accounts: &Accounts, queue: UnboundedSender<MarkedStreams>) -> Self {
        Self { streams: Arc::default(), accounts: accounts.clone(), queue, stopping: AtomicBool::new(false) }
    }

    /// Ends websockets and event streams, now and from now on. Other requests may finish.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.streams.all().iter().for_each(|stream| self.end_if_stopping(stream));
    }

    pub(super) fn end_if_stopping(&self, stream: &ActiveStream<StreamFacts>) {
        if self.stopping.load(Ordering::SeqCst) && stream.facts.is_endless() {
            stream.finish(StreamEnd::Shutdown);
        }
    }

    /// The database's time, while the instance has a lease.
    pub(super) fn lease_moment(&self) -> Option<Moment> {
        self.accounts.sessions().lease_moment()
    }

    /// Leaves a stream that is being decided again to the task that does so.
    pub(super) fn decide_again(&self, mut marked: Vec<Arc<ActiveStream<StreamFacts>>>) {
        marked.retain(|stream| stream.facts.begin_recheck());
        if !marked.is_empty() {
            // The receiver lives as long as the runtime. After the runtime has ended, nothing is passed on.
            let _ = self.queue.send(MarkedStreams { since: Instant::now(), streams: marked });
        }
    }
}

/// Marks the streams. It does not keep them alive: they hold the store, which holds its observers. Each open stream
/// keeps them alive.
pub(super) struct Marker(pub(super) Weak<LiveStreams>);

impl Observer for Marker {
    fn invalidated(&self, changes: Changes<'_>) {
        let Some(live) = self.0.upgrade() else { return };
        let marked = match changes {
            Changes::Principals(principals) if !announces_apps(changes) => live.streams.mark(principals),
            _ => live.streams.mark_all(),
        };
        live.decide_again(marked);
    }
}
