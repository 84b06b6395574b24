//! One HTTP connection to an upstream. It has no task and no buffer of its own: the request that uses it drives it.

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use actix_web::web::{Bytes, BytesMut};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, ReadBuf};

use super::connect::connect;
use super::error::ProxyError;
use super::limits::{LARGE_READ, READ_BUFFER};
use super::sending::Sending;
use super::shared::{TransportShared, UpstreamSlot};
use super::socket::{Socket, UpstreamStream};
use crate::apps::Upstream;
use crate::web::streams::StreamGate;

thread_local! {
    /// Received bytes, until they are parsed or copied. One buffer for all connections of a worker.
    static RECEIVED: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BUFFER]);
}

/// Dropping a connection closes it at once, even during a response, so that the upstream learns that its response is no
/// longer wanted.
pub struct Connection {
    stream: UpstreamStream,
    socket: Rc<Socket>,
    /// Bytes of responses. With TLS, its own messages are not counted.
    received: u64,
    counted: UpstreamSlot,
}

impl Connection {
    pub async fn open(
        upstream: &Upstream,
        shared: &Arc<TransportShared>,
        counted: UpstreamSlot,
        within: Duration,
    ) -> Result<Self, ProxyError> {
        let (socket, stream) = connect(upstream, shared, within).await?;
        Ok(Self { stream, socket, received: 0, counted })
    }

    /// Whether another request can be sent now: nothing was received that belongs to no request.
    pub fn is_usable(&mut self) -> bool {
        // TLS may hold bytes that the socket does not show, and the socket messages that are not for us.
        let mut cx = Context::from_waker(Waker::noop());
        let is_read =
            matches!(self.stream, UpstreamStream::Plain(_)) || self.poll_read(&mut cx, |_| ()).is_pending();
        is_read && self.socket.is_silent()
    }

    /// From now on it carries the request of this stream; `None`: it carries no request.
    pub fn guard(&self, gate: Option<Rc<StreamGate>>) {
        self.socket.guard(gate);
    }

    /// Bytes of responses that were received on this connection.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// See [`Sending::poll`].
    pub fn poll_send(&mut self, sending: &mut Sending, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        sending.poll(&mut self.stream, cx)
    }

    /// Calls `then` with the bytes that were received; without any at the end of the connection.
    pub fn poll_read<R>(
        &mut self,
        cx: &mut Context<'_>,
        then: impl FnOnce(&[u8]) -> R,
    ) -> Poll<io::Result<R>> {
        RECEIVED.with_borrow_mut(|buffer| {
            let mut received = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut received))?;
            self.count(received.filled().len())?;
            Poll::Ready(Ok(then(received.filled())))
        })
    }

    /// The same for many bytes, without copying them. Reuses `buffer` once its bytes have been dropped.
    pub fn poll_read_into(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<Bytes>> {
        buffer.reserve(LARGE_READ);
        let count = ready!(pin!(self.stream.read_buf(buffer)).poll(cx))?;
        self.count(count)?;
        Poll::Ready(Ok(buffer.split().freeze()))
    }

    /// Nothing was received at the end of the connection. A TLS connection that ended without a closure alert may have
    /// been cut on the way, so that what it carried may be incomplete (RFC 9112 §9.8).
    fn count(&mut self, received: usize) -> io::Result<()> {
        self.received += received as u64;
        let is_cut =
            received == 0 && matches!(self.stream, UpstreamStream::Tls(_)) && self.socket.has_ended();
        if is_cut { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Its parts, for another protocol.
    pub fn into_parts(self) -> (UpstreamStream, Rc<Socket>, UpstreamSlot) {
        (self.stream, self.socket, self.counted)
    }
}
