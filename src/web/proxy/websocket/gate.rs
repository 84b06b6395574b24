//! Whether a stream may write now.

use std::sync::Arc;
use std::task::{Context, Poll};

use latchkey_sessions::{Direction, OpenStream, StreamEnd, Streams, WritePermit};

use crate::db::time::Moment;

pub struct StreamGate {
    stream: OpenStream<()>,
    lease: fn() -> Option<Moment>,
}

impl StreamGate {
    pub fn new(stream: OpenStream<()>, lease: fn() -> Option<Moment>) -> Self {
        Self { stream, lease }
    }

    /// A stream that nothing ends.
    pub fn always_open() -> Self {
        let stream = Arc::new(Streams::default()).open(None, ());
        stream.clear(stream.generation(), Moment(i64::MAX));
        Self::new(stream, || Some(Moment(0)))
    }

    pub fn poll_permit(
        &self,
        direction: Direction,
        cx: &Context<'_>,
    ) -> Poll<Result<WritePermit<'_>, StreamEnd>> {
        self.stream.poll_permit(direction, (self.lease)(), cx)
    }
}
