//! The app behind the instances: its responses do not end by themselves. It runs in this process, so that the time in
//! an event can be compared with the time of an answer.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::spawn;
use actix_web::rt::task::JoinHandle;
use actix_web::rt::time::{interval, timeout};
use futures_util::future::{Either, select};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::kind::StreamKind;
use super::websocket;
use crate::apps::{Access, App, AppLimits, AppOrigin, Rule, Slug, Upstream};
use crate::config::{AppBounds, Misconfigured};
use crate::lab::prove::ProveError;

/// The short name of the app, and its origin on every instance.
pub const SLUG: &str = "latchkey-prove";
pub const HOST: &str = "latchkey-prove.localhost";
pub const ORIGIN: &str = "http://latchkey-prove.localhost";

/// A page that is complete at once.
pub const PAGE: &str = "/page";
const PAGE_RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// How often an event is sent on each stream.
const EVENT_EVERY: Duration = Duration::from_millis(10);

/// A download whose client accepts nothing for this long is stalled: every buffer on the way is full.
const STALLED_AFTER: Duration = Duration::from_millis(20);

/// Small, so that a download stalls soon.
const SEND_BUFFER: u32 = 64 * 1024;

/// More connections than one revocation opens at once.
const BACKLOG: u32 = 1024;

/// A download never completes.
const DOWNLOAD_BYTES: u64 = 1 << 40;

pub struct ProbeApp {
    port: u16,
    state: Rc<AppState>,
    accepting: JoinHandle<()>,
}

struct AppState {
    started: Instant,
    /// How many downloads are stalled, by the round in their query.
    stalled: RefCell<HashMap<u64, usize>>,
}

impl ProbeApp {
    /// Listens on a free port, in tasks of the current runtime.
    pub async fn start() -> Result<Self, ProveError> {
        let socket = TcpSocket::new_v4()?;
        // Connections inherit the small buffer.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(BACKLOG)?;
        let port = listener.local_addr()?.port();
        let state = Rc::new(AppState { started: Instant::now(), stalled: RefCell::default() });
        let accepting = spawn(accept(listener, Rc::clone(&state)));
        Ok(Self { port, state, accepting })
    }

    /// The app as the instances know it. Every user may open it, also with an access token.
    pub fn registration(&self) -> Result<App, ProveError> {
        let invalid = |why: &dyn std::fmt::Debug| Misconfigured::new(format!("the app of the test: {why:?}"));
        let slug = Slug::parse(SLUG).map_err(|why| invalid(&why))?;
        let url = format!("http://127.0.0.1:{}", self.port);
        let upstream = Upstream::parse(&url, None).map_err(|why| invalid(&why))?;
        let origin = AppOrigin::parse(ORIGIN).map_err(|why| invalid(&why))?;
        let mut app = App::new(slug, Some(upstream), vec![origin]);
        app.rules = vec![Rule { tokens: true, ..Rule::everywhere(Access::SignedIn) }];
        // Some downloads stay stalled for the whole test.
        let idle = *AppBounds::DURATION.end();
        app.limits = AppLimits { idle, max_in_flight: AppBounds::IN_FLIGHT, ..app.limits };
        Ok(app)
    }

    /// How many downloads of this round are stalled.
    pub fn stalled(&self, round: u64) -> usize {
        self.state.stalled.borrow().get(&round).copied().unwrap_or_default()
    }

    /// A moment on the clock that the events carry.
    pub fn clock(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.state.started)
    }
}

impl Drop for ProbeApp {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Rc<AppState>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Rc::clone(&state);
        spawn(async move {
            // An error is the end of the connection.
            let _ = serve(stream, &state).await;
        });
    }
}

/// Answers requests for the page, and one for anything else, until the other side closes the connection.
async fn serve(mut stream: TcpStream, state: &AppState) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let target = loop {
        let Some(target) = requested(&mut stream).await? else { return Ok(()) };
        if target != PAGE {
            break target;
        }
        stream.write_all(PAGE_RESPONSE).await?;
    };
    let (path, round) = target.split_once('?').unwrap_or_default();
    match StreamKind::of_path(path) {
        Some(StreamKind::Events) => send_events(&mut stream, state).await,
        Some(StreamKind::Download) => {
            send_download(&mut stream, state, round.parse().unwrap_or_default()).await
        }
        Some(StreamKind::Websocket) => converse(&mut stream, state).await,
        None => {
            stream
                .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await
        }
    }
}

/// The target of the next request; `None` if there is none.
async fn requested(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let head = String::from_utf8_lossy(&head);
    Ok(Some(head.split(' ').nth(1).unwrap_or_default().to_owned()))
}

async fn send_events(stream: &mut TcpStream, state: &AppState) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let mut ticks = interval(EVENT_EVERY);
    loop {
        ticks.tick().await;
        let event = format!("data: {}\n\n", state.started.elapsed().as_nanos());
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
    }
}

async fn send_download(stream: &mut TcpStream, state: &AppState, round: u64) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {DOWNLOAD_BYTES}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let part = vec![0; 64 * 1024];
    loop {
        let mut writing = Box::pin(stream.write_all(&part));
        match timeout(STALLED_AFTER, &mut writing).await {
            Ok(written) => written?,
            Err(_) => {
                let _stalled = StalledDownload::count(state, round);
                writing.await?;
            }
        }
    }
}

/// Counts a download as stalled until it is dropped.
struct StalledDownload<'s> {
    state: &'s AppState,
    round: u64,
}

impl<'s> StalledDownload<'s> {
    fn count(state: &'s AppState, round: u64) -> Self {
        *state.stalled.borrow_mut().entry(round).or_default() += 1;
        Self { state, round }
    }
}

impl Drop for StalledDownload<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.state.stalled.borrow_mut().get_mut(&self.round) {
            *count -= 1;
        }
    }
}

async fn converse(stream: &mut TcpStream, state: &AppState) -> io::Result<()> {
    stream.write_all(websocket::ACCEPTED.as_bytes()).await?;
    let (mut reading, mut writing) = stream.split();
    let sending = async {
        let mut ticks = interval(EVENT_EVERY);
        loop {
            ticks.tick().await;
            let event = format!("data: {}\n", state.started.elapsed().as_nanos());
            if let Err(error) = writing.write_all(&websocket::text_frame(&event)).await {
                return error;
            }
        }
    };
    let ending = async {
        let mut part = [0; 1024];
        // The clients send nothing but Close.
        reading.read(&mut part).await
    };
    match select(Box::pin(sending), Box::pin(ending)).await {
        Either::Left((error, _)) => Err(error),
        Either::Right((read, _)) => read.map(|_| ()),
    }
}
