//! The app behind the simulated instances: actors enter it with their session of the portal, use the app key, and
//! leave. The app key is one more key of the session, and the checker applies the same contract to it.

use std::cell::RefCell;
use std::rc::Rc;

use diesel::connection::SimpleConnection as _;
use latchkey::db::migrations;

use super::actors::{Actor, Held, World};
use super::record::{Done, Ended, KeyId, Saw};
use super::wire::{Ask, Reply};
use crate::support::upstream::{OK, Upstream};

/// App keys that an actor keeps and tries again, ended or not.
const KEPT: usize = 6;

/// Entries of one session, which may have four keys for one origin before the oldest ends.
const ENTRIES: usize = 3;

/// An app that every user may use, on a host of its own.
pub struct AppSite {
    pub host: &'static str,
    /// Keys that actors hold at the end.
    pub remaining: RefCell<Vec<AppHeld>>,
    /// Stops when this is dropped.
    _upstream: Upstream,
}

/// The key of an app that an actor holds.
#[derive(Clone)]
pub struct AppHeld {
    key: KeyId,
    cookie: String,
}

impl AppSite {
    pub fn new(url: &str) -> Self {
        let (host, upstream) = ("wiki.localhost:8080", Upstream::answering(OK));
        let mut conn = migrations::connect(url).expect("a connection");
        conn.batch_execute(&format!(
            "INSERT INTO apps (id, slug, name, upstream, connect_ms, head_ms, idle_ms, max_in_flight, close_code) \
             VALUES (gen_random_uuid(), 'wiki', 'Wiki', '{}', 2000, 5000, 5000, 256, 1008); \
             INSERT INTO app_origins (origin, app, host, position) SELECT 'http://{host}', id, 'wiki.localhost', 0 FROM apps; \
             INSERT INTO app_rules (app, position, access) SELECT id, 0, 'signed-in' FROM apps",
            upstream.url()
        ))
        .expect("an app");
        Self { host, remaining: RefCell::default(), _upstream: upstream }
    }
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
            self.apps.push(AppHeld { key, cookie });
        }
    }

    /// Requests a page of the app, half of the time with the newest key, at any instance.
    pub async fn use_app(&mut self) {
        let (kept, newest) = (self.apps.len(), self.rng.below(2) == 0);
        if kept > 0 {
            let at = if newest { kept - 1 } else { self.rng.below(kept) };
            let held = self.apps[at].clone();
            let origin = self.anywhere();
            self.world.look_at_app(&held, &origin).await;
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
        let origin = format!("http://{}", site.host);
        let ask = Ask::form(&url, &held.cookie, &fields).at(site.host).from(&origin);
        let reply = world.wire.ask(ask).await;
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
    async fn ask_app(&self, site: &AppSite, origin: &str, path: &str, cookies: &str) -> Reply {
        self.wire.ask(Ask::page(&format!("{origin}{path}"), cookies).at(site.host)).await
    }

    /// Requests the start of the app with this key, and records the result.
    pub async fn look_at_app(&self, held: &AppHeld, origin: &str) {
        let Some(site) = self.app.get() else { return };
        let reply = self.ask_app(site, origin, "/", &held.cookie).await;
        self.look_at("GET the app", &reply, &[200, 302]);
        let saw = match reply.status {
            Some(200) if reply.body == "ok" => Saw::In(None),
            Some(302) if reply.location.contains("/.latchkey/in?") => Saw::Out,
            _ => Saw::Nothing,
        };
        self.used(held.key, reply.at, saw);
    }
}
