//! The socket of a connection to an upstream. The pool keeps a second reference to it, to see whether the upstream has
//! closed it.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use latchkey_sessions::{Direction, WriteGate as _};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_native_tls::TlsStream;

use crate::web::http::server::is_drained;
use crate::web::streams::StreamGate;

pub struct Socket {
    tcp: TcpStream,
    /// The upstream sends nothing more.
    ended: Cell<bool>,
    /// A write has failed because the upstream has closed the connection.
    closed: Cell<bool>,
    /// The gate of the request that is sent on this connection.
    gate: RefCell<Option<Rc<StreamGate>>>,
}

impl Socket {
    pub fn new(tcp: TcpStream) -> Rc<Self> {
        Rc::new(Self { tcp, ended: Cell::new(false), closed: Cell::new(false), gate: RefCell::new(None) })
    }

    /// Whether a read has found the end of what the upstream sends.
    pub fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// From now on nothing is sent to the upstream without a permit of `gate`. `None`: nothing is to be sent.
    pub fn guard(&self, gate: Option<Rc<StreamGate>>) {
        self.gate.replace(gate);
    }

    /// Detects that the upstream is gone, on a connection that may be silent for long.
    pub fn keep_alive(&self, keep_alive: &TcpKeepalive) {
        // If it fails, the connection has an error, which the next read reports.
        let _ = SockRef::from(&self.tcp).set_tcp_keepalive(keep_alive);
    }

    /// Whether the upstream has neither closed the connection nor sent anything that was not read. Asks the kernel,
    /// because the event loop may not have been notified yet.
    pub fn is_silent(&self) -> bool {
        let peeked = SockRef::from(&self.tcp).peek(&mut [MaybeUninit::uninit()]);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Drop for Socket {
    /// What the kernel still holds of a request whose stream was ended does not reach the app.
    fn drop(&mut self) {
        if self.gate.borrow().as_ref().is_some_and(|gate| gate.end().is_some()) {
            // If this fails, the connection has an error already.
            let _ = SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO));
        }
    }
}

/// One reference to a socket, for reading and writing.
pub struct SocketStream(Rc<Socket>);

impl SocketStream {
    pub fn new(socket: &Rc<Socket>) -> Self {
        Self(Rc::clone(socket))
    }
}

impl AsyncRead for SocketStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(gate) = &*self.0.gate.borrow() {
            gate.register(Direction::Up, cx);
            if gate.end().is_some() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
        }
        loop {
            ready!(self.0.tcp.poll_read_ready(cx))?;
            match self.0.tcp.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(count) => {
                    if buf.remaining() > 0 {
                        is_drained(&self.0.tcp);
                        self.0.ended.set(count == 0);
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl SocketStream {
    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let gate = self.0.gate.borrow();
        // Held until the write has returned.
        let _permit = match &*gate {
            None => None,
            Some(gate) => match ready!(gate.poll_permit(Direction::Up, cx)) {
                Ok(permit) => Some(permit),
                Err(_) => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            },
        };
        loop {
            ready!(self.0.tcp.poll_write_ready(cx))?;
            match write(&self.0.tcp) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The upstream has closed the connection, perhaps after its response to half a body. Reading returns
                // that response, or the error. The task is woken once, to read.
                Err(error) if is_closed(&error) => {
                    if !self.0.closed.replace(true) {
                        cx.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
                written => return Poll::Ready(written),
            }
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl AsyncWrite for SocketStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |tcp| tcp.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |tcp| tcp.try_write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match SockRef::from(&self.0.tcp).shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }
}

/// A connection to an upstream, with or without TLS.
pub enum UpstreamStream {
    Plain(SocketStream),
    Tls(Box<TlsStream<SocketStream>>),
}

impl AsyncRead for UpstreamStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for UpstreamStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use actix_web::rt::time::{sleep, timeout};
    use tokio::net::TcpListener;

    use super::*;

    #[actix_web::test]
    async fn writing_to_a_closed_connection_waits_without_being_polled_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let tcp = TcpStream::connect(listener.local_addr().expect("its number")).await.expect("a connection");
        let (upstream, _) = listener.accept().await.expect("a connection");
        SockRef::from(&upstream).set_linger(Some(Duration::ZERO)).expect("a reset");
        drop(upstream);
        sleep(Duration::from_millis(50)).await;
        let mut stream = SocketStream::new(&Socket::new(tcp));
        let mut polls = 0;
        let writing = poll_fn(|cx| {
            polls += 1;
            Pin::new(&mut stream).poll_write(cx, b"more")
        });
        assert!(timeout(Duration::from_millis(100), writing).await.is_err(), "it waits");
        assert!(polls < 5, "{polls} polls");
    }
}
