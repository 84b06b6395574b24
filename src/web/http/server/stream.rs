//! The stream below actix-http: reads no further than requests are answered, so that one connection takes a bounded
//! amount of memory, regardless of what the client sends or how little it reads.
//!
//! actix-http reads as much as the socket has, up to 128 KiB, and parses every request in it before it answers the
//! first. This stream passes on one head, then as much of the body as its handler reads, and the next head when the
//! response was written.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use actix_web::rt::time::{Sleep, sleep};
use actix_web::web::BufMut as _;
use latchkey_sessions::Direction;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chunks::ChunkScanner;
use super::head::HeadScanner;
use super::raw_stream::{ClientSocket, is_drained};
use super::traffic::{Room, Traffic};

/// The longest head of a request, as in Node. Our own cookies take 1 KiB.
pub const MAX_HEAD: usize = 16 * 1024;

/// Bytes to read while a head is expected: most heads fit, and this bounds what may be left over.
const READ: usize = 4 * 1024;

/// How long a head may take to arrive. actix limits the first head of a connection; this limits the others.
const HEAD_WITHIN: Duration = Duration::from_secs(5);

/// How long the rest of a request to an app is discarded, so that the client can read the response before the
/// connection ends.
const DISCARD_WITHIN: Duration = Duration::from_secs(5);

/// The kernel's send buffer for a large response, which the kernel doubles: enough for 40 Mbit/s at 100 ms.
const LARGE_SEND_BUFFER: usize = 256 * 1024;

const TOO_LARGE: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

pub struct BoundedStream {
    stream: TcpStream,
    traffic: Rc<Traffic>,
    /// Bytes that were read from the socket with the end of a head and are not passed on yet.
    rest: Vec<u8>,
    scanner: HeadScanner,
    chunks: ChunkScanner,
    /// Bytes passed on since the last request began.
    head: usize,
    /// How many requests had begun when `head` was last reset.
    requests: u64,
    /// A head or a piece of a body was passed on. actix has to parse it before it gets more.
    handed_over: bool,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Fires when the client of an app has read nothing for too long.
    unread_deadline: Option<Pin<Box<Sleep>>>,
    closed: bool,
}

/// Whether the client has closed its end.
#[derive(Clone, Copy, PartialEq)]
enum ClientEnd {
    NotYet,
    Seen,
    /// Behind more bytes than are kept.
    Hidden,
}

impl BoundedStream {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            traffic: Rc::default(),
            rest: Vec::new(),
            scanner: HeadScanner::default(),
            chunks: ChunkScanner::default(),
            head: 0,
            requests: 0,
            handed_over: false,
            deadline: None,
            unread_deadline: None,
            closed: false,
        }
    }

    pub fn traffic(&self) -> Rc<Traffic> {
        Rc::clone(&self.traffic)
    }

    /// Whether there are bytes to pass on. If not, the task is woken when there are.
    fn is_more_waiting(&self, cx: &mut Context<'_>) -> bool {
        let is_waiting = !self.rest.is_empty() || self.stream.poll_read_ready(cx).is_ready();
        self.traffic.is_watched(!is_waiting);
        is_waiting
    }

    /// Fills `buf` with at most `limit` bytes, beginning with those left over.
    fn fill(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>, limit: usize) -> Poll<io::Result<usize>> {
        let limit = limit.min(buf.remaining());
        if !self.rest.is_empty() {
            let count = limit.min(self.rest.len());
            buf.put_slice(&self.rest[..count]);
            self.rest.drain(..count);
            if self.rest.is_empty() {
                self.rest = Vec::new();
            }
            return Poll::Ready(Ok(count));
        }
        let mut part = buf.limit(limit);
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read_buf(&mut part) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(count) if count < limit => {
                    is_drained(&self.stream);
                    return Poll::Ready(Ok(count));
                }
                read => return Poll::Ready(read),
            }
        }
    }

    /// Looks for the end of the client's data. Bytes before it are kept, up to a limit.
    fn client_end(&mut self, cx: &mut Context<'_>) -> ClientEnd {
        while self.rest.len() < READ {
            let mut bytes = [0; 512];
            let mut bytes = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.stream).poll_read(cx, &mut bytes) {
                Poll::Ready(Ok(())) if !bytes.filled().is_empty() => {
                    self.rest.extend_from_slice(bytes.filled());
                }
                Poll::Ready(_) => return ClientEnd::Seen,
                Poll::Pending => return ClientEnd::NotYet,
            }
        }
        ClientEnd::Hidden
    }

    /// Whether the client of an app has left. One that sends much after its request hides its end, and counts as gone.
    fn has_client_left(&mut self, cx: &mut Context<'_>) -> bool {
        match self.client_end(cx) {
            ClientEnd::NotYet => false,
            ClientEnd::Seen => true,
            ClientEnd::Hidden => self.traffic.has_whole_request(),
        }
    }

    /// While a request is answered that may switch the protocol: whether the client of an app has closed its end, or
    /// its stream was ended. Records whether the client has sent more than its head, which refuses the request.
    pub fn has_app_client_left(&mut self, cx: &mut Context<'_>) -> bool {
        if self.traffic.is_cut(cx) {
            return true;
        }
        let end = self.client_end(cx);
        if !self.rest.is_empty() {
            self.traffic.protocol_switch.client_has_sent_more();
        }
        end == ClientEnd::Seen && self.traffic.serves_app()
    }

    /// Fails if the client of an app has read nothing for too long.
    fn wait_for_reader(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(limit) = self.traffic.unread_limit() else { return Poll::Pending };
        let deadline = self.unread_deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(deadline.as_mut().poll(cx));
        self.traffic.reset_at_end();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Whether actix has not yet parsed the bytes that were passed on. It parses when it is told that there are no more
    /// bytes for now, and then polls again.
    fn is_turn_over(&mut self, cx: &mut Context<'_>) -> bool {
        let over = std::mem::take(&mut self.handed_over);
        if over && self.is_more_waiting(cx) {
            cx.waker().wake_by_ref();
        }
        over
    }

    fn read_body(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>, room: u64) -> Poll<io::Result<()>> {
        if self.is_turn_over(cx) {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let mut count = ready!(self.fill(cx, buf, usize::try_from(room).unwrap_or(usize::MAX)))?;
        self.handed_over = count > 0;
        if self.traffic.is_chunked() {
            let read = &buf.filled()[before..];
            let end = self.chunks.end(read);
            if let Some(end) = end {
                self.rest.splice(0..0, read[end..].iter().copied());
                buf.set_filled(before + end);
                count = end;
            }
            if self.chunks.gave_up() {
                self.traffic.is_not_chunked();
            }
            self.traffic.handed_over(count as u64);
            if end.is_some() {
                self.traffic.chunked_body_arrived();
            }
        } else {
            self.traffic.handed_over(count as u64);
        }
        Poll::Ready(Ok(()))
    }

    /// Discards the rest of a body. The client of an app may send at any speed, but only for [`DISCARD_WITHIN`].
    fn discard(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>, room: u64) -> Poll<io::Result<()>> {
        if self.traffic.serves_app() {
            let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(DISCARD_WITHIN)));
            if deadline.as_mut().poll(cx).is_ready() {
                self.closed = true;
                return Poll::Ready(Ok(()));
            }
        }
        match self.read_body(cx, buf, room) {
            Poll::Pending => self.wait_for_the_rest(cx),
            read => read,
        }
    }

    fn read_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_turn_over(cx) {
            return Poll::Pending;
        }
        if self.head >= MAX_HEAD {
            return self.give_up(TOO_LARGE);
        }
        let before = buf.filled().len();
        match self.fill(cx, buf, READ.min(MAX_HEAD - self.head)) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
            Poll::Ready(count) => self.head += count?,
            Poll::Pending if self.head > 0 && self.requests > 0 => return self.wait_for_the_rest(cx),
            Poll::Pending => return Poll::Pending,
        }
        let read = &buf.filled()[before..];
        if let Some(end) = self.scanner.end(read) {
            self.handed_over = true;
            // The bytes left over earlier come after these.
            let beyond = read.len() - end;
            self.rest.splice(0..0, read[end..].iter().copied());
            self.head -= beyond;
            buf.set_filled(before + end);
        }
        Poll::Ready(Ok(()))
    }

    /// Fails when the time for the head is over.
    fn wait_for_the_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(HEAD_WITHIN)));
        ready!(deadline.as_mut().poll(cx));
        self.give_up(TOO_SLOW)
    }

    /// Sends the reason if the socket accepts it, and stops reading. No part of an earlier response is waiting to be
    /// written, because a head is read only after the previous response.
    fn give_up(&mut self, why: &[u8]) -> Poll<io::Result<()>> {
        let _ = self.stream.try_write(why);
        self.closed = true;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for BoundedStream {
    /// Reading zero bytes without an error means that the client sends no more.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.closed {
            return Poll::Ready(Ok(()));
        }
        if this.traffic.is_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if this.requests != this.traffic.requests() {
            this.requests = this.traffic.requests();
            (this.head, this.deadline) = (0, None);
            this.scanner = HeadScanner::default();
            this.chunks = ChunkScanner::default();
        }
        this.traffic.is_read_by(cx);
        this.traffic.is_watched(false);
        match this.traffic.room() {
            Room::Head => this.read_head(cx, buf),
            Room::Body(room) => this.read_body(cx, buf, room),
            Room::Discard(room) => this.discard(cx, buf, room),
            Room::None => {
                this.handed_over = false;
                if this.traffic.serves_app() && this.has_client_left(cx) {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                }
                if this.is_more_waiting(cx) {
                    this.traffic.wake_when_there_is_room(cx);
                }
                Poll::Pending
            }
            Room::Closed => {
                this.closed = true;
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let gate = self.traffic.gate();
        let permit = match &gate {
            None => None,
            Some(gate) => match ready!(gate.poll_permit(Direction::Down, cx)) {
                Ok(permit) => Some(permit),
                Err(_) => {
                    self.traffic.reset_at_end();
                    return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                }
            },
        };
        if self.traffic.takes_large_response() {
            // If this fails, the buffer is smaller and the response slower.
            let _ = SockRef::from(&self.stream).set_send_buffer_size(LARGE_SEND_BUFFER);
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        drop(permit);
        self.traffic.wrote(written.is_ready());
        if written.is_pending() {
            return self.wait_for_reader(cx);
        }
        self.unread_deadline = None;
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if let Poll::Ready(Ok(())) = flushed {
            self.traffic.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl ClientSocket for BoundedStream {
    fn tcp(&self) -> &TcpStream {
        &self.stream
    }

    fn tcp_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn reset_at_end(&self) {
        self.traffic.reset_at_end();
    }
}

impl Drop for BoundedStream {
    fn drop(&mut self) {
        if self.traffic.resets() {
            // If this fails, the connection has an error already.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}
