//! Whether the protocol of a connection can be switched, and what takes the connection over after `101 Switching
//! Protocols`.

use std::cell::{Cell, RefCell};

use futures_util::future::LocalBoxFuture;

use super::raw_stream::RawStream;

/// Takes the connection over once the response has been sent to the client.
pub type NextProtocol = Box<dyn FnOnce(RawStream) -> LocalBoxFuture<'static, ()>>;

/// The state of one connection.
#[derive(Default)]
pub struct ProtocolSwitch {
    is_possible: Cell<bool>,
    has_client_sent_more: Cell<bool>,
    next: RefCell<Option<NextProtocol>>,
    running: RefCell<Option<LocalBoxFuture<'static, ()>>>,
}

impl ProtocolSwitch {
    /// A request has begun that may switch the protocol.
    pub fn allow(&self) {
        self.is_possible.set(true);
    }

    pub fn is_possible(&self) -> bool {
        self.is_possible.get()
    }

    /// The client has sent bytes after its request, before the response.
    pub fn client_has_sent_more(&self) {
        self.has_client_sent_more.set(true);
    }

    pub fn has_client_sent_more(&self) -> bool {
        self.has_client_sent_more.get()
    }

    pub fn set_next(&self, next: NextProtocol) {
        *self.next.borrow_mut() = Some(next);
    }

    pub fn take_next(&self) -> Option<NextProtocol> {
        self.next.borrow_mut().take()
    }

    /// HTTP ends on this connection. The future owns the stream, and with it this value: the connection's task takes it
    /// in the same turn of the event loop.
    pub fn run(&self, running: LocalBoxFuture<'static, ()>) {
        *self.running.borrow_mut() = Some(running);
    }

    pub fn take_running(&self) -> Option<LocalBoxFuture<'static, ()>> {
        self.running.borrow_mut().take()
    }
}
