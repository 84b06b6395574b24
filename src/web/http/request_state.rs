//! Everything that is known about one request. The request layer puts it into the request, `session::with_session` adds
//! the session, and guards and pages read it. Its outgoing cookies are written to every kind of response.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use actix_web::web::Bytes;
use actix_web::{HttpMessage as _, HttpRequest};
use latchkey_sessions::Handle;

use super::cookies::OutgoingCookies;
use super::refusal::RefusalReason;
use crate::identity::{LiveUser, UserId, UserSession as _};
use crate::tokens::LiveToken;
use crate::web::copy::flash::Flash;

/// The format in which a row of the route table answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Face {
    #[default]
    Page,
    /// For scripts: errors are problem documents (RFC 9457).
    Json,
    /// For programs with a token: the same, as `web::api` describes them.
    Api,
}

/// The matched route, once the router has found it.
#[derive(Clone, Copy)]
pub struct MatchedRoute {
    /// Its pattern in the route table.
    pub path: &'static str,
    pub face: Face,
}

#[derive(Default)]
pub struct RequestState {
    /// Identifies this request in the log and on error pages.
    pub id: String,
    pub route: Cell<Option<MatchedRoute>>,
    /// The key in the session cookie, after its signature was verified.
    pub presented_key: OnceCell<Option<PresentedKey>>,
    /// The live session of that key, from the latest look-up.
    session: RefCell<Option<LiveUser>>,
    /// The live token of a request to the API, from the latest look-up.
    token: RefCell<Option<LiveToken>>,
    /// A complete body, kept for [`Form`](super::form::Form) and [`Json`](super::json::Json).
    pub body: OnceCell<Bytes>,
    /// The values typed into a form that is shown again.
    pub draft: RefCell<Option<Vec<(String, String)>>>,
    /// A message set in this request, for the page that answers it.
    pub flash: Cell<Option<Flash>>,
    /// Whether the page that answers needs the script.
    pub needs_script: Cell<bool>,
    /// Whether the handler of a row of the API was called, so that a fault may have come after the change.
    pub has_begun: Cell<bool>,
    /// Why the request was refused, if the answer is not an error page.
    pub refusal: Cell<Option<RefusalReason>>,
    pub cookies: RefCell<OutgoingCookies>,
}

/// A key with a valid signature: of a session or of a pending log-in, live or not.
pub struct PresentedKey {
    /// Signature and key, as in the cookie.
    pub signed: String,
    pub key_starts_at: usize,
    /// Whether the current secret signed it, not the previous one.
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

    /// The verified key of the session cookie, once `session::with_session` has read it.
    pub fn presented(&self) -> Option<&PresentedKey> {
        self.presented_key.get()?.as_ref()
    }

    pub fn has_session(&self) -> bool {
        self.session.borrow().is_some()
    }

    pub fn set_session(&self, session: Option<LiveUser>) {
        *self.session.borrow_mut() = session;
    }

    pub fn token(&self) -> Option<LiveToken> {
        self.token.borrow().clone()
    }

    pub fn set_token(&self, token: Option<LiveToken>) {
        *self.token.borrow_mut() = token;
    }

    /// The user of the session or of the token.
    pub fn user_id(&self) -> Option<UserId> {
        let of_session = self.session.borrow().as_ref().map(|live| live.user_id());
        of_session.or_else(|| self.token.borrow().as_ref().map(|token| token.user_id))
    }

    /// The session's public handle.
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
