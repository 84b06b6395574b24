//! The gate of one stream: asked before each write, in both directions.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use latchkey_sessions::{Direction, OpenStream, Principal, StreamEnd, StreamGeneration, WritePermit};

use super::facts::StreamFacts;
use super::live_streams::LiveStreams;
use crate::db::time::Moment;
use crate::web::http::server::WriteGate;

/// Shared by the connections of one request. The stream ends when the last of them has dropped it.
#[derive(Clone)]
pub struct StreamGate(Rc<Gate>);

struct Gate {
    stream: OpenStream<StreamFacts>,
    streams: Arc<LiveStreams>,
}

impl StreamGate {
    /// Opens a stream, which passes nothing on before it was cleared by another lookup.
    pub fn open(streams: &Arc<LiveStreams>, principal: Option<Principal>, facts: StreamFacts) -> Self {
        let stream = streams.streams.open(principal, facts);
        streams.end_if_stopping(&stream);
        Self(Rc::new(Gate { stream, streams: Arc::clone(streams) }))
    }

    /// To be taken before the lookup after which the stream is cleared.
    pub fn generation(&self) -> StreamGeneration {
        self.0.stream.generation()
    }

    /// See [`latchkey_sessions::ActiveStream::clear`].
    pub fn clear(&self, generation: StreamGeneration, until: Moment) {
        self.0.stream.clear(generation, until);
    }

    /// A permit to write once, or why nothing will be written any more. Pending while the stream is decided again, and
    /// while the instance has no lease.
    pub fn poll_permit(
        &self,
        direction: Direction,
        cx: &Context<'_>,
    ) -> Poll<Result<WritePermit<'_>, StreamEnd>> {
        self.0.poll_permit(direction, cx)
    }

    /// Wakes the task when the stream ends, or may go on.
    pub fn register(&self, direction: Direction, cx: &Context<'_>) {
        self.0.stream.register(direction, cx);
    }

    pub fn end(&self) -> Option<StreamEnd> {
        self.0.stream.end()
    }

    /// The response is an event stream, which a stopping instance ends.
    pub fn note_events(&self) {
        self.0.stream.facts.note_events();
        self.0.streams.end_if_stopping(&self.0.stream);
    }
}

impl WriteGate for Gate {
    fn poll_permit(
        &self,
        direction: Direction,
        cx: &Context<'_>,
    ) -> Poll<Result<WritePermit<'_>, StreamEnd>> {
        self.stream.poll_permit(direction, self.streams.lease_moment(), cx)
    }

    fn register(&self, direction: Direction, cx: &Context<'_>) {
        self.stream.register(direction, cx);
    }

    fn end(&self) -> Option<StreamEnd> {
        self.stream.end()
    }
}

/// For the client's connection.
impl From<StreamGate> for Rc<dyn WriteGate> {
    fn from(gate: StreamGate) -> Self {
        gate.0
    }
}
