//! What is known of one request, in one place. The request layer puts it into the request, `session::with_session` adds
//! the session, guards and pages read it, and its outgoing cookies leave with every kind of answer.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use actix_web::web::Bytes;
use actix_web::{HttpMessage as _, HttpRequest};
use latchkey_sessions::Handle;

use super::cookies::OutgoingCookies;
use super::refusal::RefusalReason;
use crate::identity::LiveUser;
use crate::web::copy::flash::Flash;

/// In which shape a row of the route table answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Face {
    #[default]
    Page,
    /// A script asks, so errors are problem documents (RFC 9457).
    Json,
}

/// The route that answers, once the router has found it.
#[derive(Clone, Copy)]
pub struct MatchedRoute {
    /// Its pattern in the route table.
    pub path: &'static str,
    pub face: Face,
}

#[derive(Default)]
pub struct RequestState {
    /// Names this request in the log and on error pages.
    pub id: String,
    pub route: Cell<Option<MatchedRoute>>,
    /// The key in the session cookie, once its signature was verified.
    pub presented_key: OnceCell<Option<PresentedKey>>,
    /// The live session of that key, as it was looked up last.
    session: RefCell<Option<LiveUser>>,
    /// A complete body, kept for [`Form`](super::form::Form) and [`Json`](super::json::Json).
    pub body: OnceCell<Bytes>,
    /// What was typed into a form that is shown again.
    pub draft: RefCell<Option<Vec<(String, String)>>>,
    /// The message of the page that answers, set in this request.
    pub flash: Cell<Option<Flash>>,
    /// Whether the page that answers needs our script.
    pub needs_script: Cell<bool>,
    /// Why the request was refused, where the answer is a page of its own.
    pub refusal: Cell<Option<RefusalReason>>,
    pub cookies: RefCell<OutgoingCookies>,
}

/// A key whose signature fits: of a session, or of a log-in that waits for its second factor, alive or not.
pub struct PresentedKey {
    /// Signature and key, as the cookie holds them.
    pub signed: String,
    pub key_starts_at: usize,
    /// Whether it was signed with the secret of today, not the one before.
    pub is_current: bool,
}

impl PresentedKey {
    pub fn key(&self) -> &str {
        self.signed.get(self.key_starts_at..).unwrap_or_default()
    }
}

impl RequestState {
    pub fn new(id: String) -> Self {
        Self { id, ..Self::default() }
    }

    /// The state of this request.
    pub fn of(request: &HttpRequest) -> Rc<Self> {
        let known = request.extensions().get::<Rc<Self>>().map(Rc::clone);
        known.unwrap_or_else(|| {
            let state = Rc::new(Self::default());
            request.extensions_mut().insert(Rc::clone(&state));
            state
        })
    }

    pub fn session(&self) -> Option<LiveUser> {
        self.session.borrow().clone()
    }

    pub fn has_session(&self) -> bool {
        self.session.borrow().is_some()
    }

    pub fn set_session(&self, session: Option<LiveUser>) {
        *self.session.borrow_mut() = session;
    }

    /// The public, stable name of the session.
    pub fn session_handle(&self) -> Option<Handle> {
        self.session.borrow().as_ref().map(|live| live.record.handle)
    }

    pub fn face(&self) -> Face {
        self.route.get().map(|route| route.face).unwrap_or_default()
    }

    pub fn put_cookie(&self, cookie: actix_web::cookie::Cookie<'static>) {
        self.cookies.borrow_mut().put(cookie);
    }
}
