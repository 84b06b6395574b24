//! A server whose front passes everything for one host on to an upstream, and clients that write raw bytes.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use actix_http::{Request, RequestHead, Response};
use actix_web::body::BoxBody;
use actix_web::dev::ServerHandle;
use actix_web::http::header;
use actix_web::rt::System;
use actix_web::{App as Portal, HttpResponse, web};
use futures_util::future::LocalBoxFuture;
use latchkey::apps::{App, AppOrigin, Slug, Upstream as UpstreamAddress};
use latchkey::config::UpstreamLimits;
use latchkey::web::proxy::{ClientFacts, Identity, Transport, TransportShared};
use latchkey::web::server::{self, Front, Routed, Sizes};

use crate::support::upstream::Upstream;

/// The app's host. Any other is the portal's.
pub const HOST: &str = "wiki.localhost";

/// The headers of an ordinary request.
pub const H: &str = "Host: wiki.localhost\r\n";

pub struct Proxied {
    pub port: u16,
    pub shared: Arc<TransportShared>,
    server: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

struct AppFront {
    transport: Rc<Transport>,
    app: Arc<App>,
    name: &'static str,
}

impl Front for AppFront {
    fn is_portal(&self, head: &RequestHead) -> bool {
        head.headers.get(header::HOST).is_none_or(|host| !host.as_bytes().starts_with(HOST.as_bytes()))
    }

    fn route(self: Rc<Self>, request: Request) -> LocalBoxFuture<'static, Routed> {
        Box::pin(async move {
            let address = request.peer_addr().map(|address| address.ip());
            let identity =
                Identity { id: "7", email: "ada@example.org", name: self.name, groups: &["staff", "wiki"] };
            let client = ClientFacts { address, origin: &self.app.origins[0] };
            let forwarded = self.transport.forward(&self.app, request, Some(&identity), &client, None).await;
            Routed::Answered(forwarded.unwrap_or_else(|error| {
                Response::with_body(error.status(), BoxBody::new(format!("proxy: {error}")))
            }))
        })
    }
}

pub fn app_at(upstream: &str) -> App {
    let upstream = UpstreamAddress::parse(upstream, None).expect("an upstream");
    let origin = AppOrigin::parse("http://wiki.localhost").expect("an origin");
    App::new(Slug::parse("wiki").expect("a slug"), Some(upstream), vec![origin])
}

impl Proxied {
    pub fn to(upstream: &Upstream) -> Self {
        Self::with(app_at(&upstream.url()))
    }

    pub fn with_app(upstream: &Upstream, change: impl FnOnce(&mut App)) -> Self {
        let mut app = app_at(&upstream.url());
        change(&mut app);
        Self::with(app)
    }

    pub fn with(app: App) -> Self {
        Self::named(app, "Ada Lovelace", 64)
    }

    /// * `name`: of the user whose requests these are.
    /// * `most`: connections to upstreams.
    pub fn named(app: App, name: &'static str, most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its number").port();
        let shared = TransportShared::new(UpstreamLimits { sockets: most, requests: most, tunnels: most });
        let (app, for_front) = (Arc::new(app), Arc::clone(&shared));
        let sizes = Sizes {
            workers: 1,
            blocking_threads: 2,
            connections_per_worker: 1000,
            finish_within: Duration::from_secs(1),
            idle_for: Duration::from_secs(60),
        };
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            System::new().block_on(async move {
                let front = move || -> Rc<dyn Front> {
                    let transport = Transport::new(Arc::clone(&for_front));
                    Rc::new(AppFront { transport, app: Arc::clone(&app), name })
                };
                let portal = || {
                    let page = || async { HttpResponse::Ok().body("portal") };
                    Portal::new().default_service(web::to(page))
                };
                let server = server::serve(vec![listener], &sizes, portal, front, || {}).expect("a server");
                tell.send(server.handle()).expect("the test waits");
                server.await.expect("an orderly end");
            });
        });
        let server = told.recv().expect("a running server");
        Self { port, shared, server, thread: Some(thread) }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.port)
    }

    /// Sends the bytes on a connection of their own and reads until the end or until nothing comes any more.
    pub fn ask(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut client = self.client();
        client.send(bytes);
        client.read_all()
    }

    /// An ordinary GET request, after whose response the connection ends.
    pub fn get(&self, path: &str) -> Answer {
        self.ask(format!("GET {path} HTTP/1.1\r\n{H}Connection: close\r\n\r\n"))
    }
}

impl Drop for Proxied {
    fn drop(&mut self) {
        drop(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub struct Client(pub TcpStream);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Closed,
    Reset,
    /// It is still open.
    Open,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub text: String,
    pub end: End,
}

impl Answer {
    /// The status of the first response; 0 if there is none.
    pub fn status(&self) -> u16 {
        self.text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub fn head(&self) -> &str {
        self.text.split("\r\n\r\n").next().unwrap_or_default()
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub fn values(&self, name: &str) -> Vec<&str> {
        let lines = self.head().split("\r\n").filter_map(|line| line.split_once(':'));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// Whether the framing says that the response is complete.
    pub fn is_complete(&self) -> bool {
        let length = self.values("content-length").first().and_then(|length| length.parse::<usize>().ok());
        match length {
            Some(length) => self.body().len() >= length,
            None if self.values("transfer-encoding") == ["chunked"] => self.body().ends_with("0\r\n\r\n"),
            None => !self.text.is_empty() && self.end == End::Closed,
        }
    }
}

impl Client {
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self(stream)
    }

    /// Ignores an ended connection: reading reports it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.write_all(bytes.as_ref());
    }

    pub fn read_all(&mut self) -> Answer {
        self.read_for(Duration::from_secs(5), Duration::from_millis(300))
    }

    /// Waits for the first byte, then for each further one.
    pub fn read_for(&mut self, first: Duration, further: Duration) -> Answer {
        let mut bytes = Vec::new();
        let mut part = [0; 64 * 1024];
        self.0.set_read_timeout(Some(first)).expect("a time");
        let end = loop {
            match self.0.read(&mut part) {
                Ok(0) => break End::Closed,
                Ok(count) => bytes.extend_from_slice(&part[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    break End::Open;
                }
                Err(_) => break End::Reset,
            }
            self.0.set_read_timeout(Some(further)).expect("a time");
        };
        Answer { text: String::from_utf8_lossy(&bytes).into_owned(), end }
    }

    pub fn leave(self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
