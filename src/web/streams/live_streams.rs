//! The streams of this process, and the changes that mark them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::rt::spawn;
use latchkey_sessions::{ActiveStream, Changes, Observer, Principal, Store, StreamEnd, Streams};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::facts::StreamFacts;
use super::gate::StreamGate;
use super::recheck;
use crate::apps::{Apps, announces_apps};
use crate::db::time::Moment;
use crate::identity::User;

/// Requests that are being passed on to apps.
pub struct LiveStreams {
    pub(super) streams: Arc<Streams<StreamFacts>>,
    pub(super) sessions: Store<User>,
    pub(super) apps: Apps,
    /// Takes the streams that have to be decided again.
    queue: UnboundedSender<Vec<Arc<ActiveStream<StreamFacts>>>>,
    stopping: AtomicBool,
}

impl LiveStreams {
    /// Observes the store from now on, and decides marked streams again in tasks of the current runtime.
    pub fn start(sessions: &Store<User>, apps: &Apps) -> Arc<Self> {
        let (queue, marked) = unbounded_channel();
        let streams = Arc::new(Self {
            streams: Arc::default(),
            sessions: sessions.clone(),
            apps: apps.clone(),
            queue,
            stopping: AtomicBool::new(false),
        });
        sessions.observe(streams.clone());
        spawn(recheck::run(Arc::clone(&streams), marked));
        spawn(recheck::watch_the_time(Arc::clone(&streams)));
        streams
    }

    /// Opens a stream, which passes nothing on before it was cleared by another lookup.
    pub fn open(self: &Arc<Self>, principal: Option<Principal>, facts: StreamFacts) -> StreamGate {
        let stream = self.streams.open(principal, facts);
        self.end_if_stopping(&stream);
        StreamGate::new(stream, Arc::clone(self))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
        self.sessions.lease_moment()
    }

    pub(super) fn decide_again(&self, marked: Vec<Arc<ActiveStream<StreamFacts>>>) {
        if !marked.is_empty() {
            // The receiver lives as long as the runtime. After it nothing is passed on.
            let _ = self.queue.send(marked);
        }
    }
}

impl Observer for LiveStreams {
    fn invalidated(&self, changes: Changes<'_>) {
        let marked = match changes {
            Changes::Principals(principals) if !announces_apps(changes) => self.streams.mark(principals),
            _ => self.streams.mark_all(),
        };
        self.decide_again(marked);
    }
}
