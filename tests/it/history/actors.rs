//! The actors of the simulation: users with browsers, holders of old keys, and administrators.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::time::sleep;
use reqwest::Method;

use super::apps::{AppHeld, AppSite};
use super::record::{
    Done, End, Ended, Field, History, KeyId, LogIn, PersonId, Profile, Saw, SessionId, Span, Use, Write,
};
use super::rng::Rng;
use super::wire::{Reply, Wire};

pub const PASSWORD: &str = "poetical-science-1843";

/// Old keys kept per browser, which the actor tries again now and then.
const OLD_KEYS: usize = 8;

/// Identifies a session in its row: the user agent that the browser sends.
pub fn agent(session: SessionId) -> String {
    format!("soak/{session}")
}

pub struct Person {
    pub id: String,
    pub email: String,
}

/// The state that all actors share.
pub struct World {
    pub wire: Wire,
    pub origins: Vec<String>,
    pub people: Vec<Person>,
    /// The app behind the instances, if there is one.
    pub app: OnceCell<AppSite>,
    pub history: RefCell<History>,
    /// Ended sessions, named by their handles. The rows say afterwards which log-ins these were.
    pub revoked: RefCell<Vec<(String, Span, Done)>>,
    /// How often a page set the cookie again.
    pub signed_anew: Cell<usize>,
    pub over: Cell<bool>,
}

/// A cookie that an actor holds, and its session.
#[derive(Clone)]
pub struct Held {
    pub session: SessionId,
    pub key: KeyId,
    pub cookie: String,
    pub token: String,
}

impl Held {
    /// While the secret changes, a cookie that was signed with the other secret is returned, signed again.
    pub fn take_newly_signed(&mut self, reply: &Reply) {
        if let Some(cookie) = reply.cookie("latchkey").filter(|_| reply.status == Some(200)) {
            self.cookie = cookie;
        }
    }
}

pub struct Actor {
    pub world: Rc<World>,
    pub person: PersonId,
    pub held: Option<Held>,
    pub old: Vec<Held>,
    pub apps: Vec<AppHeld>,
    /// How often each session has entered the app.
    pub entries: HashMap<SessionId, usize>,
    pub rng: Rng,
}

impl Actor {
    pub fn new(world: &Rc<World>, person: PersonId, rng: Rng) -> Self {
        let (held, old, apps, entries) = (None, Vec::new(), Vec::new(), HashMap::new());
        Self { world: Rc::clone(world), person, held, old, apps, entries, rng }
    }

    /// Runs until the end and returns the remaining keys.
    pub async fn live(mut self) -> Vec<Held> {
        while !self.world.over.get() {
            let Some(held) = self.held.clone() else {
                self.log_in().await;
                continue;
            };
            match self.rng.below(100) {
                0..32 => self.home(&held).await,
                32..38 => self.enter_app(&held).await,
                38..56 => self.use_app().await,
                56..58 => self.leave_app().await,
                58..74 => self.try_an_old_key().await,
                74..80 => self.confirm(&held).await,
                80..84 => self.rename(&held).await,
                84..90 => self.revoke_one(&held).await,
                90..92 => self.revoke_others(&held).await,
                92..96 => self.log_out(&held).await,
                // Log in at another instance without logging out here.
                _ => self.give_up(),
            }
        }
        self.remaining()
    }

    /// The keys of the portal; those of the app stay with it.
    pub fn remaining(mut self) -> Vec<Held> {
        if let Some(site) = self.world.app.get() {
            site.remaining.borrow_mut().extend(self.apps);
        }
        self.old.extend(self.held);
        self.old
    }

    pub async fn log_in(&mut self) {
        let origin = self.anywhere();
        let form = self.world.wire.get(&format!("{origin}/login"), "").await;
        let (Some(token), Some(nonce)) = (form.token(), form.cookie("latchkey-form")) else {
            self.world.look_at("GET /login", &form, &[200]);
            return self.rest().await;
        };
        // The log-in is numbered before its result is known.
        let at = Span { begun: self.world.wire.now(), ended: u64::MAX };
        let session = self.world.history.borrow().log_ins.len();
        let log_in = LogIn { person: self.person, at, done: Done::Unknown };
        self.world.history.borrow_mut().log_ins.push(log_in);
        let email = self.world.people[self.person].email.clone();
        let fields = [("csrf_token", token.as_str()), ("email", &email), ("password", PASSWORD)];
        let url = format!("{origin}/login");
        let reply = self.world.wire.send(Method::POST, &url, &nonce, &agent(session), &fields).await;
        self.world.look_at("POST /login", &reply, &[303, 422]);
        {
            let mut history = self.world.history.borrow_mut();
            let log_in = &mut history.log_ins[session];
            (log_in.at, log_in.done) = (reply.at, reply.done("/home"));
        }
        match reply.cookie("latchkey") {
            Some(cookie) if reply.leads_to("/home") => {
                let key = self.world.new_key(session);
                self.held = Some(Held { session, key, cookie, token: String::new() });
            }
            // The user may be disabled, and will be enabled later.
            _ => self.rest().await,
        }
    }

    pub async fn home(&mut self, held: &Held) {
        let origin = self.anywhere();
        let reply = self.world.look(held, &origin).await;
        if let Some(mine) = &mut self.held {
            if let Some(token) = reply.token() {
                mine.token = token;
            }
            mine.take_newly_signed(&reply);
        }
        if reply.is_turned_away() {
            self.give_up();
        }
    }

    async fn try_an_old_key(&mut self) {
        if !self.old.is_empty() {
            let at = self.rng.below(self.old.len());
            let (held, origin) = (self.old[at].clone(), self.anywhere());
            let reply = self.world.look(&held, &origin).await;
            self.old[at].take_newly_signed(&reply);
        }
    }

    async fn confirm(&mut self, held: &Held) {
        let Some(reply) = self.post(held, "/confirm", &[("password", PASSWORD)], &[303, 422, 403]).await
        else {
            return;
        };
        let cookie = reply.cookie("latchkey");
        // Without a new key, the request lost a race, and the answer redirects anyway.
        let done = match reply.done("/home") {
            Done::Yes if cookie.is_none() => Done::No,
            done => done,
        };
        self.world.ended(Ended::Key(held.key), reply.at, done);
        if let (Done::Yes, Some(cookie)) = (done, cookie) {
            let key = self.world.new_key(held.session);
            self.give_up();
            self.held = Some(Held { key, cookie, ..held.clone() });
        }
    }

    async fn rename(&mut self, held: &Held) {
        let name = format!("Ada {}", self.rng.below(1_000_000_000));
        let Some(reply) = self.post(held, "/account/profile", &[("name", &name)], &[303]).await else {
            return;
        };
        self.world.wrote(self.person, Field::Name, name, reply.at, reply.done("/account"));
    }

    async fn revoke_one(&mut self, held: &Held) {
        let origin = self.anywhere();
        let page = self.world.wire.get(&format!("{origin}/account/sessions"), &held.cookie).await;
        self.world.look_at("GET /account/sessions", &page, &[200, 303]);
        let saw = if page.status == Some(200) { Saw::In(None) } else { self.world.saw(&page) };
        self.world.used(held.key, page.at, saw);
        let begins = "action=\"/account/sessions/";
        let handles: Vec<&str> = page
            .body
            .split(begins)
            .skip(1)
            .filter_map(|rest| rest.split_once("/revoke\""))
            .map(|(handle, _)| handle)
            .collect();
        if handles.is_empty() {
            return;
        }
        let handle = handles[self.rng.below(handles.len())].to_owned();
        let path = format!("/account/sessions/{handle}/revoke");
        let Some(reply) = self.post(held, &path, &[], &[303, 404]).await else { return };
        let done = reply.done("/account/sessions");
        self.world.revoked.borrow_mut().push((handle, reply.at, done));
    }

    async fn revoke_others(&mut self, held: &Held) {
        let path = "/account/sessions/revoke-others";
        let Some(reply) = self.post(held, path, &[], &[303]).await else { return };
        let what = Ended::Others(self.person, held.session);
        self.world.ended(what, reply.at, reply.done("/account/sessions"));
    }

    pub async fn log_out(&mut self, held: &Held) {
        if held.token.is_empty() {
            return self.home(held).await;
        }
        let fields = [("csrf_token", held.token.as_str())];
        let origin = self.anywhere();
        let reply = self.world.wire.post(&format!("{origin}/logout"), &held.cookie, &fields).await;
        self.world.look_at("POST /logout", &reply, &[303]);
        // The answer is the same for a dead key.
        self.world.ended(Ended::Session(held.session), reply.at, reply.done("/login"));
        self.give_up();
    }

    /// Posts a form as a logged-in user, and records whether it was accepted.
    pub async fn post(
        &mut self,
        held: &Held,
        path: &str,
        fields: &[(&str, &str)],
        expected: &[u16],
    ) -> Option<Reply> {
        if held.token.is_empty() {
            self.home(held).await;
            return None;
        }
        let mut fields = fields.to_vec();
        fields.push(("csrf_token", &held.token));
        let origin = self.anywhere();
        let reply = self.world.wire.post(&format!("{origin}{path}"), &held.cookie, &fields).await;
        self.world.look_at(path, &reply, expected);
        let saw =
            if reply.is_nothing() || reply.is_turned_away() { self.world.saw(&reply) } else { Saw::In(None) };
        self.world.used(held.key, reply.at, saw);
        if reply.is_turned_away() {
            self.give_up();
            return None;
        }
        Some(reply)
    }

    fn give_up(&mut self) {
        if let Some(held) = self.held.take() {
            if self.old.len() == OLD_KEYS {
                self.old.swap_remove(self.rng.below(OLD_KEYS));
            }
            self.old.push(held);
        }
    }

    pub fn anywhere(&mut self) -> String {
        self.world.origins[self.rng.below(self.world.origins.len())].clone()
    }

    pub async fn rest(&mut self) {
        sleep(Duration::from_millis(20 + self.rng.below(100) as u64)).await;
    }
}

impl World {
    /// Requests the home page with this key, and records the result.
    pub async fn look(&self, held: &Held, origin: &str) -> Reply {
        let reply = self.wire.get(&format!("{origin}/home"), &held.cookie).await;
        self.look_at("GET /home", &reply, &[200, 303]);
        if reply.status == Some(200) && reply.cookie("latchkey").is_some() {
            self.signed_anew.set(self.signed_anew.get() + 1);
        }
        self.used(held.key, reply.at, self.saw(&reply));
        reply
    }

    pub fn saw(&self, reply: &Reply) -> Saw {
        if reply.is_turned_away() {
            return Saw::Out;
        }
        match (reply.status, reply.between("<h1>Hello, <bdi>", "</bdi></h1>")) {
            (Some(200), Some(name)) => {
                let role = if reply.body.contains("href=\"/admin\"") { "admin" } else { "member" };
                Saw::In(Some(Profile { name, role: role.into() }))
            }
            _ => Saw::Nothing,
        }
    }

    pub fn used(&self, key: KeyId, at: Span, saw: Saw) {
        self.history.borrow_mut().uses.push(Use { key, at, saw });
    }

    pub fn ended(&self, what: Ended, at: Span, done: Done) {
        self.history.borrow_mut().ends.push(End { what, at, done });
    }

    pub fn wrote(&self, person: PersonId, field: Field, value: String, at: Span, done: Done) {
        self.history.borrow_mut().writes.push(Write { person, field, value, at, done });
    }

    /// A key that an app got for the session.
    pub fn new_app_key(&self, session: SessionId, opened: Span) -> KeyId {
        let key = self.new_key(session);
        self.history.borrow_mut().app_keys.insert(key, opened);
        key
    }

    fn new_key(&self, session: SessionId) -> KeyId {
        let keys = &mut self.history.borrow_mut().keys;
        keys.push(session);
        keys.len() - 1
    }

    pub fn look_at(&self, what: &str, reply: &Reply, expected: &[u16]) {
        if !reply.is_nothing() && reply.status.is_some_and(|status| !expected.contains(&status)) {
            let title = reply.between("<h1>", "</h1>").unwrap_or_default();
            self.history.borrow_mut().unexpected.push(format!("{what}: {:?} {title}", reply.status));
        }
    }
}
