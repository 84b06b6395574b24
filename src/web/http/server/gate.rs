//! What a connection asks before each write of a response that lasts no longer than a session.

use std::task::{Context, Poll};

use latchkey_sessions::{Direction, StreamEnd, WritePermit};

/// The stream of a response; see [`latchkey_sessions::ActiveStream`].
pub trait WriteGate {
    /// A permit to write once, or why nothing will be written any more.
    fn poll_permit(&self, direction: Direction, cx: &Context<'_>)
    -> Poll<Result<WritePermit<'_>, StreamEnd>>;

    /// Wakes the task when the stream ends, or may go on.
    fn register(&self, direction: Direction, cx: &Context<'_>);

    /// Why it was ended; `None` while it runs.
    fn end(&self) -> Option<StreamEnd>;
}
