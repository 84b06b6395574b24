//! The CSRF token of every form: bound to the session, or to a cookie if there is no session.

use actix_web::HttpRequest;
use actix_web::web::Data;

use super::cookies;
use super::request_state::RequestState;
use super::shared::{CookieNames, Shared};
use crate::secret;

/// The purpose that tokens are signed for.
const SESSION: &str = "csrf-session";
const BROWSER: &str = "csrf-form";

/// The token for the forms on the page that answers this request.
pub fn token(request: &HttpRequest, shared: &Shared) -> String {
    let mac = match RequestState::of(request).session_handle() {
        // The same as long as the session lives, so that a key rotation does not invalidate forms in other tabs.
        Some(handle) => shared.secret.mac(SESSION, &[handle.0.as_bytes()]),
        None => shared.secret.mac(BROWSER, &[nonce(request, shared).as_bytes()]),
    };
    secret::encode(&mac)
}

/// Why the token of a form is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenProblem {
    /// It belongs to this browser but is older than the log-in: the page was opened before.
    LoggedInSince,
    /// The request has none of our cookies.
    NoCookies,
    Foreign,
}

/// Checks that `given` is the token of this visitor, in constant time.
pub fn check(request: &HttpRequest, given: &str) -> Result<(), TokenProblem> {
    let Some(shared) = request.app_data::<Data<Shared>>() else { return Err(TokenProblem::Foreign) };
    let nonce = cookie_nonce(request, shared);
    let of_browser = nonce.is_some_and(|nonce| shared.secret.signed(BROWSER, &[nonce.as_bytes()], given));
    match RequestState::of(request).session_handle() {
        Some(handle) if shared.secret.signed(SESSION, &[handle.0.as_bytes()], given) => Ok(()),
        Some(_) if of_browser => Err(TokenProblem::LoggedInSince),
        None if of_browser => Ok(()),
        _ if has_cookies(request, shared) => Err(TokenProblem::Foreign),
        _ => Err(TokenProblem::NoCookies),
    }
}

fn has_cookies(request: &HttpRequest, shared: &Shared) -> bool {
    let CookieNames { session, form, flash, browser, registration, .. } = &shared.cookie;
    [session, form, flash, browser, registration]
        .iter()
        .any(|name| cookies::value(request.headers(), name).is_some())
}

/// The nonce of this browser; a new one is set as a cookie with the response.
fn nonce(request: &HttpRequest, shared: &Shared) -> String {
    if let Some(nonce) = cookie_nonce(request, shared) {
        return nonce;
    }
    let state = RequestState::of(request);
    let made_before = state.cookies.borrow().value(&shared.cookie.form).map(str::to_owned);
    made_before.unwrap_or_else(|| {
        // If the random generator fails, no token matches: an empty nonce is never accepted.
        let nonce = secret::random::<16>().map(|bytes| secret::encode(&bytes)).unwrap_or_default();
        state.put_cookie(shared.cookie(&shared.cookie.form, nonce.clone()).finish());
        nonce
    })
}

fn cookie_nonce(request: &HttpRequest, shared: &Shared) -> Option<String> {
    let nonce = cookies::value(request.headers(), &shared.cookie.form)?;
    secret::decode::<16>(&nonce).map(|_| nonce.into_owned())
}
