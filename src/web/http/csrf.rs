//! The token in every form: bound to the session, or to a cookie where there is none.

use actix_web::cookie::{Cookie, SameSite};
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest};

use crate::secret;
use crate::web::http::cookies;
use crate::web::session::current;
use crate::web::{CookieNames, Shared};

/// What a token is signed for.
const SESSION: &str = "csrf-session";
const BROWSER: &str = "csrf-form";

/// A nonce this request had to make up, for the front to hand to the browser.
#[derive(Clone)]
pub struct FreshNonce(String);

/// The token for the forms of the page this request gets.
pub fn token(request: &HttpRequest, shared: &Shared) -> String {
    let mac = match current::handle() {
        // Stable while the session lives, so that a rotated key does not spoil forms in other tabs.
        Some(handle) => shared.secret.mac(SESSION, &[handle.0.as_bytes()]),
        None => shared.secret.mac(BROWSER, &[nonce(request, shared).as_bytes()]),
    };
    secret::encode(&mac)
}

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOwn {
    /// It belongs to this browser, from before the log-in: its page has been open since.
    LoggedInSince,
    /// The request has no cookie of ours at all.
    NoCookies,
    Foreign,
}

/// Whether `given` is the token of this very visitor. Compared in constant time.
pub fn check(request: &HttpRequest, given: &str) -> Result<(), NotOwn> {
    let Some(shared) = request.app_data::<Data<Shared>>() else { return Err(NotOwn::Foreign) };
    let nonce = cookie_nonce(request, shared);
    let of_browser = nonce.is_some_and(|nonce| shared.secret.signed(BROWSER, &[nonce.as_bytes()], given));
    match current::handle() {
        Some(handle) if shared.secret.signed(SESSION, &[handle.0.as_bytes()], given) => Ok(()),
        Some(_) if of_browser => Err(NotOwn::LoggedInSince),
        None if of_browser => Ok(()),
        _ if has_cookies(request, shared) => Err(NotOwn::Foreign),
        _ => Err(NotOwn::NoCookies),
    }
}

fn has_cookies(request: &HttpRequest, shared: &Shared) -> bool {
    let CookieNames { session, form, flash, browser, registration, .. } = &shared.cookie;
    [session, form, flash, browser, registration]
        .iter()
        .any(|name| cookies::value(request.headers(), name).is_some())
}

/// The cookie that carries a fresh nonce, if this request made one.
pub fn fresh_cookie(request: &HttpRequest, shared: &Shared) -> Option<Cookie<'static>> {
    let FreshNonce(nonce) = request.extensions().get::<FreshNonce>().cloned()?;
    Some(form_cookie(shared, nonce))
}

fn form_cookie(shared: &Shared, nonce: String) -> Cookie<'static> {
    Cookie::build(shared.cookie.form.clone(), nonce)
        .path("/")
        .http_only(true)
        .secure(shared.public.is_secure())
        .same_site(SameSite::Lax)
        .finish()
}

fn nonce(request: &HttpRequest, shared: &Shared) -> String {
    if let Some(nonce) = cookie_nonce(request, shared) {
        return nonce;
    }
    if let Some(FreshNonce(nonce)) = request.extensions().get::<FreshNonce>() {
        return nonce.clone();
    }
    // Without randomness no token fits: an empty nonce is never accepted back.
    let nonce = secret::random::<16>().map(|bytes| secret::encode(&bytes)).unwrap_or_default();
    request.extensions_mut().insert(FreshNonce(nonce.clone()));
    nonce
}

fn cookie_nonce(request: &HttpRequest, shared: &Shared) -> Option<String> {
    let nonce = cookies::value(request.headers(), &shared.cookie.form)?;
    secret::decode::<16>(&nonce).map(|_| nonce.into_owned())
}
