//! The state that the stream and the service of one connection share, so that the stream reads no further than the
//! service answers. One worker runs both.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use latchkey_sessions::{Direction, WriteGate};

use super::protocol_switch::ProtocolSwitch;

/// How many bytes of a body may wait for its handler. Most forms fit, and a slow handler slows the client down.
const BODY_WINDOW: u64 = 16 * 1024;

/// The same for a body whose end cannot be found: actix-http parses all following bytes at once, so this bounds how
/// many requests it parses.
const UNSIZED_WINDOW: u64 = 256;

/// How many bytes of a body may wait for the upstream of an app: two reads of actix-http, so that one is sent while the
/// next arrives.
const UPLOAD_WINDOW: u64 = 64 * 1024;

/// How much of an unread body of this kind is discarded. A longer one ends the connection.
pub(super) const DISCARD: u64 = 16 * 1024;

/// The state of the connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    /// Reading a head.
    Head,
    /// The response is complete, but the body of its request is still arriving.
    Discarding(RemainingBody),
    /// A handler has the request. The body is still arriving, and `waiting` bytes have not been read.
    Body { body: RemainingBody, waiting: u64 },
    /// The request is complete, the response is not.
    Answering,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RemainingBody {
    /// The number of bytes still to come.
    Sized(u64),
    /// Without a length: how many more bytes may be discarded.
    Unsized(u64),
}

/// Who answers the request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Answering {
    #[default]
    Portal,
    /// An upstream answers. It must learn when the client disconnects, and bodies may be large.
    App,
}

/// How many bytes the stream may pass on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Room {
    /// One head.
    Head,
    /// This many bytes of a body.
    Body(u64),
    /// This many bytes of a body that no handler reads; then the next head.
    Discard(u64),
    /// Nothing until [`Traffic::resume`].
    None,
    /// Nothing any more: the connection ends.
    Closed,
}

pub struct Traffic {
    pub(super) phase: Cell<Phase>,
    pub(super) answering: Cell<Answering>,
    /// Whether the body of the request is chunked.
    pub(super) chunked: Cell<bool>,
    /// The response is large: the kernel may buffer more of it.
    pub(super) large_response: Cell<bool>,
    /// How long the client of an app may read nothing.
    pub(super) unread_for: Cell<Duration>,
    /// The end of the connection must not look like the end of the response.
    resets: Cell<bool>,
    /// The socket did not accept the last write.
    blocked: Cell<bool>,
    /// The connection's task is woken when the client sends more or disconnects.
    watched: Cell<bool>,
    pub(super) protocol_switch: ProtocolSwitch,
    pub(super) requests: Cell<u64>,
    /// The gate of a response that must not outlive its session, until its last byte was written.
    pub(super) gate: RefCell<Option<Rc<dyn WriteGate>>>,
    /// The connection's task, while it waits for permission to read.
    reader: RefCell<Option<Waker>>,
    /// The connection's task.
    pub(super) task: RefCell<Waker>,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            phase: Cell::new(Phase::Head),
            answering: Cell::default(),
            chunked: Cell::new(false),
            large_response: Cell::new(false),
            unread_for: Cell::new(Duration::MAX),
            resets: Cell::new(false),
            blocked: Cell::new(false),
            watched: Cell::new(false),
            protocol_switch: ProtocolSwitch::default(),
            requests: Cell::new(0),
            gate: RefCell::new(None),
            reader: RefCell::new(None),
            task: RefCell::new(Waker::noop().clone()),
        }
    }
}

impl Traffic {
    /// Asked before each write of the response.
    pub fn gate(&self) -> Option<Rc<dyn WriteGate>> {
        self.gate.borrow().clone()
    }

    /// Whether the stream of the current request was ended: nothing more may be sent, and what the kernel still holds
    /// is discarded. Wakes the task when that happens.
    pub fn is_cut(&self, cx: &Context<'_>) -> bool {
        let gate = self.gate.borrow();
        let Some(gate) = &*gate else { return false };
        gate.register(Direction::Down, cx);
        let is_cut = gate.end().is_some();
        if is_cut {
            self.reset_at_end();
        }
        is_cut
    }

    /// HTTP has ended on this connection.
    pub fn unguard(&self) {
        self.gate.take();
    }

    /// Every byte that was to be sent is in the kernel.
    pub fn flushed(&self) {
        let is_complete = matches!(self.phase.get(), Phase::Head | Phase::Discarding(_));
        if is_complete && self.gate.take().is_some() {
            self.resume();
        }
    }

    /// Whether bytes of a complete response wait for a permit. Until they are sent, no request may begin: it would be
    /// answered without this gate.
    fn is_held_back(&self) -> bool {
        self.gate.borrow().is_some()
    }

    /// Requests that have begun on this connection.
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    pub fn room(&self) -> Room {
        if self.blocked.get() {
            return Room::None;
        }
        match self.phase.get() {
            Phase::Head if self.is_held_back() => Room::None,
            Phase::Head => Room::Head,
            Phase::Discarding(RemainingBody::Sized(left)) => Room::Discard(left.min(self.window())),
            Phase::Discarding(RemainingBody::Unsized(0)) => Room::Closed,
            Phase::Discarding(RemainingBody::Unsized(left)) => Room::Discard(left.min(self.unsized_window())),
            Phase::Body { body, waiting } => {
                let left = match body {
                    RemainingBody::Sized(left) => left,
                    RemainingBody::Unsized(_) => self.unsized_window(),
                };
                match left.min(self.window().saturating_sub(waiting)) {
                    0 => Room::None,
                    room => Room::Body(room),
                }
            }
            Phase::Answering => Room::None,
        }
    }

    fn window(&self) -> u64 {
        match self.answering.get() {
            Answering::Portal => BODY_WINDOW,
            Answering::App => UPLOAD_WINDOW,
        }
    }

    fn unsized_window(&self) -> u64 {
        match self.answering.get() {
            Answering::App if self.chunked.get() => UPLOAD_WINDOW,
            _ => UNSIZED_WINDOW,
        }
    }

    /// Whether an upstream answers, which must learn when the client disconnects.
    pub fn serves_app(&self) -> bool {
        self.answering.get() == Answering::App
    }

    /// How long the client of an app may read nothing; `None` for a client of the portal, which the kernel limits.
    pub fn unread_limit(&self) -> Option<Duration> {
        self.serves_app().then(|| self.unread_for.get())
    }

    /// The end of the connection will look like an error to the client.
    pub fn reset_at_end(&self) {
        self.resets.set(true);
    }

    /// Whether no more bytes of the request are to come.
    pub fn has_whole_request(&self) -> bool {
        matches!(self.phase.get(), Phase::Answering | Phase::Body { body: RemainingBody::Sized(0), .. })
    }

    /// Whether a chunked body is arriving, whose end the stream looks for.
    pub fn is_chunked(&self) -> bool {
        let unsized_body = matches!(
            self.phase.get(),
            Phase::Discarding(RemainingBody::Unsized(_))
                | Phase::Body { body: RemainingBody::Unsized(_), .. }
        );
        unsized_body && self.chunked.get()
    }

    /// Records that the end of the chunked body cannot be found.
    pub fn is_not_chunked(&self) {
        self.chunked.set(false);
    }

    /// Records that the last byte of the chunked body was passed on.
    pub fn chunked_body_arrived(&self) {
        self.phase.set(match self.phase.get() {
            Phase::Discarding(_) => Phase::Head,
            Phase::Body { waiting, .. } => Phase::Body { body: RemainingBody::Sized(0), waiting },
            phase => phase,
        });
    }

    /// Whether the kernel may buffer more of the response. True once for each response.
    pub fn takes_large_response(&self) -> bool {
        self.large_response.take()
    }

    pub fn resets(&self) -> bool {
        self.resets.get()
    }

    /// Records that `count` bytes of a body were passed on.
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

    /// Records whether the socket accepted the last write.
    pub fn wrote(&self, went_through: bool) {
        if self.blocked.replace(!went_through) && went_through {
            self.resume();
        }
    }

    /// Records whether the connection's task is woken when the client sends more or disconnects.
    pub fn is_watched(&self, watched: bool) {
        self.watched.set(watched);
    }

    /// The task has to be polled now, if it does not watch the connection already.
    pub(super) fn watch(&self) {
        if !self.watched.get() {
            self.task.borrow().wake_by_ref();
        }
    }

    /// Wakes the connection's task when there is room again.
    pub fn wake_when_there_is_room(&self, cx: &Context<'_>) {
        *self.reader.borrow_mut() = Some(cx.waker().clone());
    }

    /// Records the connection's task, which is woken if a body was not read completely.
    pub fn is_read_by(&self, cx: &Context<'_>) {
        self.task.borrow_mut().clone_from(cx.waker());
    }

    pub(super) fn resume(&self) {
        let reader = self.reader.borrow_mut().take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    pub(super) fn consumed(&self, count: u64) {
        if let Phase::Body { body, waiting } = self.phase.get() {
            self.phase.set(Phase::Body { body, waiting: waiting.saturating_sub(count) });
            self.resume();
        }
    }

    pub(super) fn body_ended(&self) {
        if let Phase::Body { .. } = self.phase.get() {
            self.phase.set(Phase::Answering);
        }
    }
}
