//! A client of the app on a bare socket: sees when its connection ends, and what arrived before.

use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::spawn;
use actix_web::rt::task::JoinHandle;
use actix_web::rt::time::sleep;
use futures_util::future::{Either, select};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;

use super::app::{HOST, ORIGIN};
use super::kind::StreamKind;
use super::websocket::{self, ServerFrame, masked_close, take_frame};

/// A small buffer, so that a download stalls soon after its client has stopped reading.
const DOWNLOAD_BUFFER: u32 = 64 * 1024;

/// More than all buffers on the way hold: a resumed download that receives this much is going on.
const RESUMED_BYTES: usize = 32 * 1024 * 1024;

/// The end of a chunked body (RFC 9112 §7.1).
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The connection ends when this is dropped.
pub struct StreamClient {
    pub kind: StreamKind,
    seen: Rc<Seen>,
    task: JoinHandle<()>,
}

pub struct StreamRequest {
    /// The port of the instance.
    pub port: u16,
    pub cookie: Rc<str>,
    pub kind: StreamKind,
    /// The round that it belongs to: the app counts its stalled downloads by round.
    pub round: u64,
}

/// The events that the client has seen so far.
#[derive(Default)]
struct Seen {
    /// The status of the response.
    status: Cell<Option<u16>>,
    ended: Cell<Option<Instant>>,
    looked_complete: Cell<bool>,
    close_code: Cell<Option<u16>>,
    /// The time in the latest event.
    latest_event: Cell<Option<Duration>>,
    /// Makes a stalled download read again.
    resume: Notify,
    went_on: Cell<bool>,
}

/// The state of a request at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFate {
    /// No response has come, and the connection is open.
    Unanswered,
    /// It was not let in.
    Refused,
    Alive,
    /// It was let in or not answered, and its connection has ended.
    Ended(Instant),
}

impl StreamClient {
    /// Sends the request after `delay`.
    pub fn open(request: StreamRequest, delay: Duration) -> Self {
        let seen = Rc::new(Seen::default());
        let (kind, following) = (request.kind, Rc::clone(&seen));
        let task = spawn(async move {
            sleep(delay).await;
            // An error is the end of the connection, like the other returns.
            let _ = follow(&request, &following).await;
            following.ended.set(Some(Instant::now()));
        });
        Self { kind, seen, task }
    }

    pub fn fate(&self) -> StreamFate {
        match (self.seen.status.get(), self.seen.ended.get()) {
            (Some(status), _) if !is_begun(status) => StreamFate::Refused,
            (_, Some(moment)) => StreamFate::Ended(moment),
            (Some(_), None) => StreamFate::Alive,
            (None, None) => StreamFate::Unanswered,
        }
    }

    /// Whether it was let in, and a part of its content has arrived.
    pub fn has_begun(&self) -> bool {
        self.seen.status.get().is_some_and(is_begun)
            && (self.kind == StreamKind::Download || self.seen.latest_event.get().is_some())
    }

    /// Whether the response ended cleanly, so that the client could take it for complete.
    pub fn looked_complete(&self) -> bool {
        self.seen.looked_complete.get()
    }

    /// The code of the Close frame that ended a websocket.
    pub fn close_code(&self) -> Option<u16> {
        self.seen.close_code.get()
    }

    /// Whether an event that was created after `moment` of the app's clock has arrived.
    pub fn has_event_after(&self, moment: Duration) -> bool {
        self.seen.latest_event.get().is_some_and(|latest| latest > moment)
    }

    /// Makes a stalled download read again.
    pub fn resume(&self) {
        self.seen.resume.notify_one();
    }

    /// Whether more has arrived since `moment` of the app's clock; for a download, since it was resumed.
    pub fn went_on(&self, moment: Duration) -> bool {
        match self.kind {
            StreamKind::Download => self.seen.went_on.get(),
            StreamKind::Events | StreamKind::Websocket => self.has_event_after(moment),
        }
    }
}

impl Drop for StreamClient {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_begun(status: u16) -> bool {
    matches!(status, 101 | 200)
}

/// Returns when the connection has ended, or the request was refused.
async fn follow(request: &StreamRequest, seen: &Seen) -> io::Result<()> {
    let StreamRequest { port, cookie, kind, round } = request;
    let socket = TcpSocket::new_v4()?;
    if *kind == StreamKind::Download {
        socket.set_recv_buffer_size(DOWNLOAD_BUFFER)?;
    }
    let mut stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).await?;
    stream.set_nodelay(true)?;
    let handshake = if *kind == StreamKind::Websocket { websocket::HANDSHAKE } else { "" };
    let head = format!(
        "GET {}?{round} HTTP/1.1\r\nhost: {HOST}\r\ncookie: {cookie}\r\norigin: {ORIGIN}\r\nsec-fetch-site: same-origin\r\n\
         {handshake}\r\n",
        kind.path()
    );
    stream.write_all(head.as_bytes()).await?;
    let mut received = Vec::new();
    let head_ends = loop {
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
        if let Some(at) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let status = String::from_utf8_lossy(received.get(9..12).unwrap_or_default()).parse().unwrap_or_default();
    seen.status.set(Some(status));
    if !is_begun(status) {
        return Ok(());
    }
    received.drain(..head_ends);
    match kind {
        StreamKind::Events => read_events(&mut stream, received, seen).await,
        StreamKind::Download => stall(&mut stream, seen).await,
        StreamKind::Websocket => read_messages(&mut stream, received, seen).await,
    }
}

async fn read_events(stream: &mut TcpStream, mut received: Vec<u8>, seen: &Seen) -> io::Result<()> {
    let (mut line, mut last): (Vec<u8>, Vec<u8>) = Default::default();
    loop {
        last.extend_from_slice(&received);
        last.drain(..last.len().saturating_sub(LAST_CHUNK.len()));
        seen.looked_complete.set(last == LAST_CHUNK);
        line.append(&mut received);
        let whole = line.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = line.drain(..whole).collect();
        note_events(&String::from_utf8_lossy(&whole), seen);
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
    }
}

fn note_events(text: &str, seen: &Seen) {
    let numbers = text.lines().filter_map(|line| line.strip_prefix("data: ")?.parse().ok());
    if let Some(latest) = numbers.max() {
        seen.latest_event.set(Some(Duration::from_nanos(latest)));
    }
}

/// Reads nothing until the connection fails, or the client resumes.
async fn stall(stream: &mut TcpStream, seen: &Seen) -> io::Result<()> {
    let failure = stream.ready(Interest::ERROR);
    if let Either::Left((failed, _)) = select(Box::pin(failure), Box::pin(seen.resume.notified())).await {
        return failed.map(|_| ());
    }
    let (mut part, mut bytes) = (vec![0; 64 * 1024], 0);
    loop {
        match stream.read(&mut part).await? {
            0 => return Ok(()),
            count => bytes += count,
        }
        seen.went_on.set(bytes >= RESUMED_BYTES);
    }
}

/// Answers a Close, as a browser does, and waits for the end of the connection.
async fn read_messages(stream: &mut TcpStream, mut received: Vec<u8>, seen: &Seen) -> io::Result<()> {
    loop {
        while let Some(frame) = take_frame(&mut received) {
            match frame {
                ServerFrame::Text(text) => note_events(&text, seen),
                ServerFrame::Close(code) => {
                    seen.close_code.set(Some(code));
                    stream.write_all(&masked_close(code)).await?;
                }
                ServerFrame::Other => {}
            }
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
    }
}
