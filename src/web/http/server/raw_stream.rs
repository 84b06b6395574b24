//! A client's connection after HTTP: bytes, without the limits of `server/stream.rs`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use actix_web::rt::time::timeout;
use futures_util::future::poll_fn;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// Bytes that are discarded at once.
const DISCARD_PIECE: usize = 1024;

/// The connection below HTTP.
pub trait ClientSocket {
    fn tcp(&self) -> &TcpStream;

    fn tcp_mut(&mut self) -> &mut TcpStream;

    /// Dropping it will be an error to the client instead of an end.
    fn reset_at_end(&self);
}

pub struct RawStream(Box<dyn ClientSocket>);

impl RawStream {
    pub fn new(socket: impl ClientSocket + 'static) -> Self {
        Self(Box::new(socket))
    }

    /// For a connection that is open for long: finds out that the client is gone, sends small messages at once, and
    /// lets the kernel buffer at most twice `send_buffer` bytes.
    pub fn expect_long_connection(&self, keep_alive: &TcpKeepalive, send_buffer: usize) {
        let tcp = self.0.tcp();
        // If one option fails, the connection has an error, which the next read reports.
        let _ = tcp.set_nodelay(true);
        let socket = SockRef::from(tcp);
        let _ = socket.set_tcp_keepalive(keep_alive);
        let _ = socket.set_send_buffer_size(send_buffer);
    }

    /// When the stream is dropped, the client will see an error instead of an end, and the kernel discards unsent data.
    pub fn reset_at_end(&self) {
        self.0.reset_at_end();
    }

    /// Sends the end, then waits for the client's, so that the client reads everything that was sent. Returns whether
    /// the client has ended the connection in time.
    pub async fn finish(&mut self, within: Duration) -> bool {
        timeout(within, poll_fn(|cx| poll_finish(self, cx))).await.is_ok()
    }
}

/// A read has returned fewer bytes than it could: nothing more is there to be read, so the next read waits for the
/// kernel's notice instead of asking. tokio does the same in `poll_read`.
pub fn is_drained(tcp: &TcpStream) {
    let _ = tcp.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
}

/// Sends the end, and discards what is received until the other side ends the connection too.
pub fn poll_finish(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), cx: &mut Context<'_>) -> Poll<()> {
    // Shutting down twice does no harm. An error is an end, which reading reports.
    let _ = Pin::new(&mut *stream).poll_shutdown(cx);
    loop {
        let mut bytes = [0; DISCARD_PIECE];
        let mut bytes = ReadBuf::new(&mut bytes);
        match ready!(Pin::new(&mut *stream).poll_read(cx, &mut bytes)) {
            Ok(()) if !bytes.filled().is_empty() => {}
            Ok(()) | Err(_) => return Poll::Ready(()),
        }
    }
}

impl AsyncRead for RawStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.0.tcp_mut()).poll_read(cx, buf)
    }
}

impl AsyncWrite for RawStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.0.tcp_mut()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.tcp_mut()).poll_shutdown(cx)
    }
}
