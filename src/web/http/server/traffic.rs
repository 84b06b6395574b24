//! What the stream and the service of one connection tell each other, so that the stream reads no further than the
//! service answers. One worker runs both.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_http::{HttpMessage as _, Payload, Request};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::Stream;
use tokio::task::yield_now;

/// How much of a body may wait for its handler. A form mostly fits, and a slow handler holds back the sender.
const BODY_WINDOW: u64 = 16 * 1024;

/// The same for a body that does not say its length: what follows it cannot be told from it and is parsed at once, so
/// this bounds how many requests that may be.
const UNSIZED_WINDOW: u64 = 256;

/// Of such a body, what the handler did not read is discarded up to here. A longer one ends the connection.
const DISCARD: u64 = 16 * 1024;

/// Enough for as much as the window holds, in pieces as they are read.
const ARRIVE_IN_TURNS: usize = 8;

/// What the connection is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Reading a head.
    Head,
    /// The request is answered, but its body is still arriving.
    Discarding(RemainingBody),
    /// A handler has the request. Its body is still arriving, and `waiting` bytes of it have not been read.
    Body { body: RemainingBody, waiting: u64 },
    /// The request is complete and its answer is not.
    Answering,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum RemainingBody {
    /// So much is still to come.
    Sized(u64),
    /// Chunked. How much of it may still come if it is discarded.
    Unsized(u64),
}

/// How much the stream may hand over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Room {
    /// One head.
    Head,
    /// So many bytes of a body.
    Body(u64),
    /// So many bytes of a body that no handler reads; after that the next head.
    Discard(u64),
    /// Nothing before [`Traffic::resume`].
    None,
    /// Nothing any more.
    Closed,
}

pub struct Traffic {
    phase: Cell<Phase>,
    /// The last write did not go through.
    blocked: Cell<bool>,
    requests: Cell<u64>,
    /// The connection's task, while it wants to read and may not.
    reader: RefCell<Option<Waker>>,
    /// The connection's task.
    task: RefCell<Waker>,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            phase: Cell::new(Phase::Head),
            blocked: Cell::new(false),
            requests: Cell::new(0),
            reader: RefCell::new(None),
            task: RefCell::new(Waker::noop().clone()),
        }
    }
}

impl Traffic {
    /// Requests that have begun on this connection.
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    pub fn room(&self) -> Room {
        if self.blocked.get() {
            return Room::None;
        }
        match self.phase.get() {
            Phase::Head => Room::Head,
            Phase::Discarding(RemainingBody::Sized(left)) => Room::Discard(left.min(BODY_WINDOW)),
            Phase::Discarding(RemainingBody::Unsized(0)) => Room::Closed,
            Phase::Discarding(RemainingBody::Unsized(left)) => Room::Discard(left.min(UNSIZED_WINDOW)),
            Phase::Body { body, waiting } => {
                let (left, window) = match body {
                    RemainingBody::Sized(left) => (left, BODY_WINDOW),
                    RemainingBody::Unsized(_) => (UNSIZED_WINDOW, BODY_WINDOW),
                };
                match left.min(window.saturating_sub(waiting)) {
                    0 => Room::None,
                    room => Room::Body(room),
                }
            }
            Phase::Answering => Room::None,
        }
    }

    /// `count` bytes of a body were handed over.
    pub fn handed_over(&self, count: u64) {
        self.phase.set(match self.phase.get() {
            Phase::Discarding(RemainingBody::Sized(left)) if left <= count => Phase::Head,
            Phase::Discarding(RemainingBody::Sized(left)) => {
                Phase::Discarding(RemainingBody::Sized(left - count))
            }
            Phase::Discarding(RemainingBody::Unsized(left)) => {
                Phase::Discarding(RemainingBody::Unsized(left.saturating_sub(count)))
            }
            Phase::Body { body, waiting } => {
                let body = match body {
                    RemainingBody::Sized(left) => RemainingBody::Sized(left.saturating_sub(count)),
                    body @ RemainingBody::Unsized(_) => body,
                };
                Phase::Body { body, waiting: waiting + count }
            }
            phase => phase,
        });
    }

    /// Whether the last write went through.
    pub fn wrote(&self, went_through: bool) {
        if self.blocked.replace(!went_through) && went_through {
            self.resume();
        }
    }

    /// Wakes the connection's task as soon as there is room again.
    pub fn wake_when_there_is_room(&self, cx: &Context<'_>) {
        *self.reader.borrow_mut() = Some(cx.waker().clone());
    }

    /// Remembers the connection's task, which is to be woken when a body is left over.
    pub fn is_read_by(&self, cx: &Context<'_>) {
        self.task.borrow_mut().clone_from(cx.waker());
    }

    fn resume(&self) {
        let reader = self.reader.borrow_mut().take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn consumed(&self, count: u64) {
        if let Phase::Body { body, waiting } = self.phase.get() {
            self.phase.set(Phase::Body { body, waiting: waiting.saturating_sub(count) });
            self.resume();
        }
    }

    fn body_ended(&self) {
        if let Phase::Body { .. } = self.phase.get() {
            self.phase.set(Phase::Answering);
        }
    }
}

/// A request is being answered until this is dropped. The service's future owns it, then the body of the
/// response.
pub struct ResponseGuard(Rc<Traffic>);

impl ResponseGuard {
    /// `None` for a request that came through no stream of ours.
    pub fn begin(request: &mut Request) -> Option<Self> {
        let traffic = Rc::clone(request.conn_data::<Rc<Traffic>>()?);
        traffic.requests.set(traffic.requests.get() + 1);
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.trim().parse().ok());
        traffic.phase.set(match request.take_payload() {
            Payload::None => Phase::Answering,
            payload => {
                let counted = CountedBody { payload, traffic: Rc::clone(&traffic) };
                *request.payload() = Payload::Stream { payload: Box::pin(counted) };
                Phase::Body {
                    body: length.map_or(RemainingBody::Unsized(DISCARD), RemainingBody::Sized),
                    waiting: 0,
                }
            }
        });
        Some(Self(traffic))
    }
}

impl ResponseGuard {
    /// Gives a body that its handler did not read, but that is already here, a few turns to arrive: while a
    /// body is outstanding, actix closes the connection after the answer. Waits for nothing that the client
    /// has yet to send.
    pub async fn wait_for_buffered_body(&self) {
        for _ in 0..ARRIVE_IN_TURNS {
            let Phase::Body { body: RemainingBody::Sized(1..), .. } = self.0.phase.get() else { return };
            yield_now().await;
        }
    }
}

impl Drop for ResponseGuard {
    fn drop(&mut self) {
        self.0.phase.set(match self.0.phase.get() {
            Phase::Body { body: RemainingBody::Sized(0), .. } => Phase::Head,
            Phase::Body { body, .. } => Phase::Discarding(body),
            phase @ Phase::Discarding(_) => phase,
            Phase::Head | Phase::Answering => Phase::Head,
        });
        match self.0.phase.get() {
            // The rest of the body has a deadline, which the task sets when it reads. It may wait for nothing else:
            // actix keeps a connection for as long as such a body takes.
            Phase::Discarding(_) => self.0.task.borrow().wake_by_ref(),
            _ => self.0.resume(),
        }
    }
}

/// A body that says how much of it was read.
struct CountedBody {
    payload: Payload,
    traffic: Rc<Traffic>,
}

impl Stream for CountedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = Pin::new(&mut self.payload).poll_next(cx);
        match &chunk {
            Poll::Ready(Some(Ok(chunk))) => self.traffic.consumed(chunk.len() as u64),
            Poll::Ready(Some(Err(_)) | None) => self.traffic.body_ended(),
            Poll::Pending => {}
        }
        chunk
    }
}
