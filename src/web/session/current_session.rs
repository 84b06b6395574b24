//! Begins, rotates and ends the session of this request. The functions tell actix-session, which sets the cookie
//! (`form_session.rs`).

use std::time::Duration;

use actix_identity::{Identity, IdentityExt as _};
use actix_session::SessionExt as _;
use actix_web::cookie::Cookie;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use latchkey_sessions::{EndReason, Key, request as session_request};

use super::known_device;
use crate::db::Fault;
use crate::login::{OpenedSession, PendingHash, PendingKey};
use crate::web::http::cookies;
use crate::web::http::request_state::RequestState;
use crate::web::http::shared::Shared;

/// Gives the browser the key of the opened session. The log-in has ended the session that the browser still had.
pub fn begin(request: &HttpRequest, shared: &Shared, opened: OpenedSession) -> Result<(), Fault> {
    session_request::session_ended();
    session_request::issue_key(opened.key, shared.keep_for(opened.remember));
    request.get_session().clear();
    Identity::login(&request.extensions(), opened.user.to_string()).map_err(Fault::bug)?;
    known_device::keep(request, shared, &opened.device_cookie);
    Ok(())
}

/// Gives the browser the key of a pending log-in, in the same cookie as a session's key: each replaces the other.
pub fn begin_pending(request: &HttpRequest, shared: &Shared, key: &PendingKey) {
    RequestState::of(request).put_cookie(key_cookie(shared, key.reveal(), None));
}

/// The key, which may be that of a pending log-in.
pub fn pending_key(request: &HttpRequest) -> Option<PendingHash> {
    presented(request, PendingHash::of)?
}

/// Gives the browser the new key of its session.
pub fn rotate(request: &HttpRequest, key: Key) {
    session_request::rotated(&request.get_session(), key);
}

/// Removes the key from the browser, whether or not its session was live. The caller has ended the session, unless it
/// had ended already.
pub fn end(request: &HttpRequest, shared: &Shared, answer: &mut HttpResponse) {
    session_request::session_ended();
    if let Ok(identity) = request.get_identity() {
        identity.logout();
    }
    RequestState::of(request).put_cookie(shared.removal(&shared.cookie.session));
    // Not "cookies": the response sets one itself, with the message for the next page. Not "cache": every page is
    // `no-store`, so nothing of the user is cached, and Chrome may take seconds to search its cache.
    answer.headers_mut().insert(header::CLEAR_SITE_DATA, HeaderValue::from_static("\"storage\""));
}

/// Whether the request has a key of ours, live or not.
pub fn had_key(request: &HttpRequest) -> bool {
    presented(request, |_| ()).is_some()
}

/// How the session ended whose key the browser still has, for a visitor who is not logged in.
pub async fn how_it_ended(request: &HttpRequest, shared: &Shared) -> Result<Option<EndReason>, Fault> {
    match presented(request, str::to_owned) {
        Some(key) => shared.accounts.sessions().end_reason(&key).await,
        None => Ok(None),
    }
}

fn presented<T>(request: &HttpRequest, read: impl FnOnce(&str) -> T) -> Option<T> {
    let state = RequestState::of(request);
    state.presented().map(|presented| read(presented.key()))
}

pub fn key_cookie(shared: &Shared, key: &str, keep_for: Option<Duration>) -> Cookie<'static> {
    let cookie = shared.cookie(&shared.cookie.session, shared.signer.sign(key)).finish();
    cookies::kept_for(cookie, keep_for)
}
