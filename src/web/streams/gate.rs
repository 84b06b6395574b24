//! The gate of one stream: asked before each write, in both directions.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use latchkey_sessions::{
    Direction, OpenStream, Principal, StreamEnd, StreamGeneration, WriteGate, WritePermit,
};

use super::facts::StreamFacts;
use super::live_streams::LiveStreams;
use crate::db::time::Moment;

/// Shared by the connections of one request. The stream ends when the last of them has dropped it.
pub struct StreamGate {
    stream: OpenStream<StreamFacts>,
    streams: Arc<LiveStreams>,
}

impl StreamGate {
    /// Opens a stream, which passes nothing on until another lookup clears it.
    pub fn open(streams: &Arc<LiveStreams>, principal: Option<Principal>, facts: StreamFacts) -> Rc<Self> {
        let stream = streams.streams.open(principal, facts);
        streams.end_if_stopping(&stream);
        Rc::new(Self { stream, streams: Arc::clone(streams) })
    }

    /// Take this before the lookup that will clear the stream.
    pub fn generation(&self) -> StreamGeneration {
        self.stream.generation()
    }

    /// See [`latchkey_sessions::ActiveStream::clear`].
    pub fn clear(&self, generation: StreamGeneration, until: Moment) {
        self.stream.clear(generation, until);
    }

    /// The response is an event stream, which a stopping instance ends.
    pub fn note_events(&self) {
        self.stream.facts.note_events();
        self.streams.end_if_stopping(&self.stream);
    }
}

impl WriteGate for StreamGate {
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
