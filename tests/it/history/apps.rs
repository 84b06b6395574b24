//! The app behind the simulated instances: actors enter it with their session of the portal, use the app key, send forms
//! and leave. The app key is one more key of the session, and the checker applies the same contract to it. What the app
//! received is compared with what its users were answered.
//!
//! Actors also open event streams of the app. Each event holds the time when the app wrote it, and counts as a request
//! that began then: an event that the app wrote after the answer to a revocation must not arrive.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use actix_web::rt::spawn;
use actix_web::rt::task::{self, JoinHandle};
use diesel::connection::SimpleConnection as _;
use latchkey::db::migrations;

use super::actors::{Actor, Held, World};
use super::record::{Done, Ended, KeyId, Saw, Span};
use super::wire::{Ask, Reply, Wire};
use crate::support::process::{DataDir, Latchkey};
use crate::support::upstream::{After, Upstream};
use crate::websockets::client::WebSocket;

/// Microseconds for which an event stream is open.
const WATCHED_FOR: u64 = 1_500_000;

/// App keys that an actor keeps and tries again, ended or not.
const KEPT: usize = 6;

/// Entries of one session, which may have four keys for one origin before the oldest ends.
const ENTRIES: usize = 3;

/// An app that every user may use, on a host of its own. Visitors may open the pages below [`AppSite::OPEN`].
pub struct AppSite {
    pub host: &'static str,
    /// Keys that actors hold at the end.
    pub remaining: RefCell<Vec<AppHeld>>,
    /// Counts the requests to the app, apart from those to the portal.
    pub wire: Wire,
    pub upstream: Upstream,
    /// Pages that visitors got.
    pub opened: Cell<usize>,
    /// Events that arrived.
    pub events: Cell<usize>,
    /// Those that are still open.
    streams: RefCell<Vec<JoinHandle<()>>>,
    posts: RefCell<Vec<AppPost>>,
}

/// The key of an app that an actor holds.
#[derive(Clone)]
pub struct AppHeld {
    key: KeyId,
    cookie: String,
}

/// A form that a user sent to the app. Its index is in the form.
struct AppPost {
    key: KeyId,
    at: Span,
    status: Option<u16>,
}

impl AppHeld {
    pub fn cookie(&self) -> &str {
        &self.cookie
    }
}

impl AppSite {
    pub const OPEN: &'static str = "/open";

    const EVENTS: &'static str = "/events";

    /// Registers the app as an operator does, in place of that of an earlier world. Every instance on the database at
    /// `url` knows it then.
    async fn new(url: &str, wire: &Wire) -> Self {
        let host = "wiki.localhost:8080";
        // Tells each user who they are to the app, and sends the messages of websockets back.
        let clock = wire.clock();
        let upstream = Upstream::scripted(move |request, stream| {
            if request.target() == Self::EVENTS {
                send_events(stream, &clock);
                return After::Close;
            }
            if request.values("upgrade") == ["websocket"] {
                WebSocket::accept(request, stream, "").echo();
                return After::Close;
            }
            let body = greeting(request.values("remote-user").first().copied().unwrap_or_default());
            let length = body.len();
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
            After::KeepOpen
        });
        let text = format!(
            "[apps.wiki]\norigins = [\"http://{host}\"]\nupstream = \"{}\"\nhead = \"5s\"\nidle = \"5s\"\n\
             [[apps.wiki.rules]]\nbelow = \"{}\"\naccess = \"open\"\n\
             [[apps.wiki.rules]]\nall = true\naccess = \"signed-in\"\n",
            upstream.url(),
            Self::OPEN
        );
        let latchkey = Latchkey::on(url);
        let applied = task::spawn_blocking(move || {
            let dir = DataDir::new();
            let file = dir.path().join("apps.toml");
            fs::write(&file, text).expect("a file");
            latchkey.run(&["app", "apply", file.to_str().expect("a path")])
        });
        let applied = applied.await.expect("a thread");
        assert_eq!(applied.code, Some(0), "{}{}", applied.out, applied.err);
        Self {
            host,
            remaining: RefCell::default(),
            wire: wire.counting_apart(),
            upstream,
            opened: Cell::new(0),
            events: Cell::new(0),
            streams: RefCell::default(),
            posts: RefCell::default(),
        }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.host)
    }

    /// Forms that the app has answered.
    pub fn answered_posts(&self) -> usize {
        self.posts.borrow().iter().filter(|post| post.status == Some(200)).count()
    }

    /// Enters the app with a cookie of the portal, with every request at `origin`; returns the cookie of the app.
    pub async fn enter(&self, world: &World, origin: &str, portal: &str) -> Option<String> {
        let begun = world.ask_app(self, origin, "/.latchkey/in?to=%2F", "").await;
        let (go, state) = (begun.next_path()?, begun.cookie("latchkey-state")?);
        let asked = world.wire.get(&format!("{origin}{go}"), portal).await;
        let entered = world.ask_app(self, origin, &asked.next_path()?, &state).await;
        entered.cookie("latchkey-app")
    }

    /// Whether the owner of the portal's cookie can enter the app and gets its page.
    pub async fn lets_in(&self, world: &World, origin: &str, portal: &str) -> bool {
        match self.enter(world, origin, portal).await {
            Some(cookie) => world.ask_app(self, origin, "/", &cookie).await.status == Some(200),
            None => false,
        }
    }
}

/// An event every 20 ms, until the connection ends.
fn send_events(stream: &mut TcpStream, clock: &impl Fn() -> u64) {
    let mut written = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
    while written.is_ok() {
        written = stream.write_all(format!("data: {}\n\n", clock()).as_bytes());
        thread::sleep(Duration::from_millis(20));
    }
}

fn greeting(user: &str) -> String {
    format!("for {user}")
}

impl Actor {
    /// Enters the app with the session `held`, through the portal of any instance.
    pub async fn enter_app(&mut self, held: &Held) {
        let world = Rc::clone(&self.world);
        let Some(site) = world.app.get() else { return self.home(held).await };
        let entries = self.entries.entry(held.session).or_default();
        if *entries == ENTRIES {
            return self.home(held).await;
        }
        *entries += 1;
        let begun = world.ask_app(site, &self.anywhere(), "/.latchkey/in?to=%2F", "").await;
        world.look_at("GET /.latchkey/in", &begun, &[302]);
        let (Some(go), Some(state)) = (begun.next_path(), begun.cookie("latchkey-state")) else { return };
        let asked = world.wire.get(&format!("{}{go}", self.anywhere()), &held.cookie).await;
        world.look_at("GET /go/wiki", &asked, &[200, 303]);
        let let_in = asked.status == Some(200);
        let saw = if let_in { Saw::In(None) } else { world.saw(&asked) };
        world.used(held.key, asked.at, saw);
        let Some(enter) = asked.next_path().filter(|_| let_in) else { return };
        let entered = world.ask_app(site, &self.anywhere(), &enter, &state).await;
        // 400: the session ended on the way.
        world.look_at("GET /.latchkey/enter", &entered, &[303, 400]);
        if let (Some(303), Some(cookie)) = (entered.status, entered.cookie("latchkey-app")) {
            let key = world.new_app_key(held.session, entered.at);
            if self.apps.len() == KEPT {
                self.apps.swap_remove(self.rng.below(KEPT));
            }
            let held = AppHeld { key, cookie };
            self.apps.push(held.clone());
            let (page, form) = (self.anywhere(), self.anywhere());
            world.look_at_app(&held, &page).await;
            world.post_to_app(&held, &form).await;
        }
    }

    /// Requests a page of the app or sends it a form, half of the time with the newest key, at any instance. Sometimes
    /// opens a page as a visitor.
    pub async fn use_app(&mut self) {
        let (kept, newest) = (self.apps.len(), self.rng.below(2) == 0);
        let (what, origin) = (self.rng.below(9), self.anywhere());
        if what == 0 {
            return self.world.visit_app(&origin).await;
        }
        if kept > 0 {
            let at = if newest { kept - 1 } else { self.rng.below(kept) };
            let held = self.apps[at].clone();
            if what < 3 {
                self.world.post_to_app(&held, &origin).await;
            } else if what == 8 {
                self.world.watch_app(&held, origin);
            } else {
                self.world.look_at_app(&held, &origin).await;
            }
        }
    }

    /// Leaves the app. The key is tried again later, as others are.
    pub async fn leave_app(&mut self) {
        let world = Rc::clone(&self.world);
        let Some(site) = world.app.get() else { return };
        if self.apps.is_empty() {
            return;
        }
        let held = self.apps[self.rng.below(self.apps.len())].clone();
        let page = world.ask_app(site, &self.anywhere(), "/.latchkey/out", &held.cookie).await;
        let Some(token) = page.field("token") else { return };
        let url = format!("{}/.latchkey/out", self.anywhere());
        let fields = [("token", token.as_str())];
        let origin = site.origin();
        let ask = Ask::form(&url, &held.cookie, &fields).at(site.host).from(&origin);
        let reply = site.wire.ask(ask).await;
        world.look_at("POST /.latchkey/out", &reply, &[200, 400, 403, 422]);
        // Only the response to the form removes the cookie.
        let done = match reply.status {
            Some(200) if reply.removes("latchkey-app") => Done::Yes,
            Some(200..500) => Done::No,
            _ => Done::Unknown,
        };
        world.ended(Ended::Key(held.key), reply.at, done);
    }
}

impl World {
    /// Puts an app behind the instances, which the actors use from now on.
    pub async fn open_app(&self, url: &str) {
        if self.app.get().is_none() {
            let site = AppSite::new(url, &self.wire).await;
            assert!(self.app.set(site).is_ok(), "two at once");
        }
    }

    async fn ask_app(&self, site: &AppSite, origin: &str, path: &str, cookies: &str) -> Reply {
        let reply = site.wire.ask(Ask::page(&format!("{origin}{path}"), cookies).at(site.host)).await;
        self.expect_retry_after(&reply);
        reply
    }

    fn expect_retry_after(&self, reply: &Reply) {
        if reply.status == Some(503) && !reply.retry_after {
            self.history.borrow_mut().unexpected.push("the app: 503 without Retry-After".into());
        }
    }

    /// Requests the start of the app with this key, and records the result. Returns whether the app served it.
    pub async fn look_at_app(&self, held: &AppHeld, origin: &str) -> bool {
        let Some(site) = self.app.get() else { return false };
        let reply = self.ask_app(site, origin, "/", &held.cookie).await;
        self.look_at("GET the app", &reply, &[200, 302]);
        let saw = match reply.status {
            Some(302) if reply.location.contains("/.latchkey/in?") => Saw::Out,
            _ => self.saw_in_app(held, &reply),
        };
        let is_in = matches!(saw, Saw::In(_));
        self.used(held.key, reply.at, saw);
        is_in
    }

    /// Sends the app a form with a number of its own.
    async fn post_to_app(&self, held: &AppHeld, origin: &str) {
        let Some(site) = self.app.get() else { return };
        let number = {
            let mut posts = site.posts.borrow_mut();
            posts.push(AppPost { key: held.key, at: Span { begun: 0, ended: 0 }, status: None });
            posts.len() - 1
        };
        let (url, number_text, own) = (format!("{origin}/write"), number.to_string(), site.origin());
        let fields = [("number", number_text.as_str())];
        let reply = site.wire.ask(Ask::form(&url, &held.cookie, &fields).at(site.host).from(&own)).await;
        self.expect_retry_after(&reply);
        self.look_at("POST to the app", &reply, &[200, 401]);
        {
            let post = &mut site.posts.borrow_mut()[number];
            (post.at, post.status) = (reply.at, reply.status);
        }
        let saw = if reply.status == Some(401) { Saw::Out } else { self.saw_in_app(held, &reply) };
        self.used(held.key, reply.at, saw);
    }

    /// Opens a page that needs no log-in.
    async fn visit_app(&self, origin: &str) {
        let Some(site) = self.app.get() else { return };
        let reply = self.ask_app(site, origin, AppSite::OPEN, "").await;
        self.look_at("GET an open page of the app", &reply, &[200]);
        if reply.status == Some(200) {
            site.opened.set(site.opened.get() + 1);
            if reply.body != greeting("") {
                self.history.borrow_mut().unexpected.push(format!("a visitor was served {:?}", reply.body));
            }
        }
    }

    /// Opens an event stream of the app for a while, and records each event as a request that was served.
    fn watch_app(self: &Rc<Self>, held: &AppHeld, origin: String) {
        let (world, held) = (Rc::clone(self), held.clone());
        let Some(site) = self.app.get() else { return };
        let watching = spawn(async move {
            let (begun, url) = (world.wire.now(), format!("{origin}{}", AppSite::EVENTS));
            let Some(host) = world.app.get().map(|site| site.host) else { return };
            let Some(mut response) = world.wire.open(&url, &held.cookie, host).await else { return };
            match response.status().as_u16() {
                200 => {}
                401 => return world.used(held.key, Span { begun, ended: world.wire.now() }, Saw::Out),
                _ => return,
            }
            let mut text = String::new();
            while world.wire.now() < begun + WATCHED_FOR
                && let Ok(Some(part)) = response.chunk().await
            {
                text.push_str(&String::from_utf8_lossy(&part));
                while let Some((event, rest)) = text.split_once("\n\n") {
                    let written = event.strip_prefix("data: ").and_then(|time| time.parse().ok());
                    let written = written.unwrap_or_else(|| panic!("the event {event:?}"));
                    let at = Span { begun: written, ended: world.wire.now() };
                    text = rest.to_owned();
                    world.used(held.key, at, Saw::In(None));
                    if let Some(site) = world.app.get() {
                        site.events.set(site.events.get() + 1);
                    }
                }
            }
        });
        site.streams.borrow_mut().push(watching);
    }

    /// Waits until no stream is open.
    async fn finish_streams(&self) {
        let streams = self.app.get().map(|site| site.streams.take());
        for stream in streams.into_iter().flatten() {
            stream.await.expect("no watcher panics");
        }
    }

    fn saw_in_app(&self, held: &AppHeld, reply: &Reply) -> Saw {
        if reply.status != Some(200) {
            return Saw::Nothing;
        }
        let own = greeting(&self.owner(held.key));
        if reply.body != own {
            let what = format!("{own:?} was served {:?} by the app", reply.body);
            self.history.borrow_mut().unexpected.push(what);
        }
        Saw::In(None)
    }

    /// The id of the user whose key it is.
    fn owner(&self, key: KeyId) -> String {
        let history = self.history.borrow();
        self.people[history.log_ins[history.keys[key]].person].id.clone()
    }

    /// Compares the forms that reached the app with the answers to their senders. A form counts as served if it reached
    /// the app, also if its sender was refused or got no answer.
    pub async fn compare_with_app(&self) {
        self.finish_streams().await;
        let Some(site) = self.app.get() else { return };
        let mut arrived: HashMap<usize, Vec<String>> = HashMap::new();
        for request in site.upstream.received().iter().filter(|request| request.method() == "POST") {
            let body = String::from_utf8_lossy(&request.body);
            let number = body.strip_prefix("number=").and_then(|number| number.parse().ok());
            let number = number.unwrap_or_else(|| panic!("the app received {body:?}"));
            arrived.entry(number).or_default().push(request.values("remote-user").join(" and "));
        }
        let mut wrong = Vec::new();
        for (number, post) in site.posts.borrow().iter().enumerate() {
            let users = arrived.remove(&number).unwrap_or_default();
            if users.len() > 1 {
                wrong.push(format!("form {number} reached the app {} times", users.len()));
            }
            if users.iter().any(|user| *user != self.owner(post.key)) {
                wrong.push(format!("form {number} reached the app as {users:?}"));
            }
            match (post.status, users.is_empty()) {
                (Some(200), true) => wrong.push(format!("form {number} was answered and never arrived")),
                (Some(401), false) => wrong.push(format!("form {number} was refused and arrived")),
                (Some(200 | 401), _) | (_, true) => {}
                (_, false) => self.used(post.key, post.at, Saw::In(None)),
            }
        }
        if !arrived.is_empty() {
            wrong.push(format!("{} forms arrived that no user sent", arrived.len()));
        }
        self.history.borrow_mut().unexpected.extend(wrong);
    }

    /// An operator ends every app key by hand.
    pub fn end_all_app_keys(&self, url: &str) {
        let begun = self.wire.now();
        let mut conn = migrations::connect(url).expect("a connection");
        conn.batch_execute("DELETE FROM session_keys").expect("an end");
        let at = Span { begun, ended: self.wire.now() };
        for person in 0..self.people.len() {
            self.ended(Ended::AppKeys(person), at, Done::Yes);
        }
    }
}
