//! The token in every form: bound to the session, or to a cookie where there is none.

use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpMessage as _, HttpRequest};

use super::{Shared, cookie, visit};
use crate::secret;

/// What a token is signed for.
const SESSION: &str = "csrf-session";
const BROWSER: &str = "csrf-form";

/// A nonce this request had to make up, for the front to hand to the browser.
#[derive(Clone)]
pub struct FreshNonce(String);

/// The token for the forms of the page this request gets.
pub fn token(request: &HttpRequest, shared: &Shared) -> String {
    let mac = match visit::handle() {
        // Stable while the session lives, so that a rotated key does not spoil forms in other tabs.
        Some(handle) => shared.secret.mac(SESSION, &[handle.0.as_bytes()]),
        None => shared.secret.mac(BROWSER, &[nonce(request, shared).as_bytes()]),
    };
    secret::encode(&mac)
}

/// Whether `given` is the token of this very visitor. Compared in constant time.
pub fn is_own(request: &HttpRequest, shared: &Shared, given: &str) -> bool {
    match (visit::handle(), cookie_nonce(request, shared)) {
        (Some(handle), _) => shared.secret.signed(SESSION, &[handle.0.as_bytes()], given),
        (None, Some(nonce)) => shared.secret.signed(BROWSER, &[nonce.as_bytes()], given),
        (None, None) => false,
    }
}

/// The cookie that carries a fresh nonce, if this request made one.
pub fn fresh_cookie(request: &HttpRequest, shared: &Shared) -> Option<Cookie<'static>> {
    let FreshNonce(nonce) = request.extensions().get::<FreshNonce>().cloned()?;
    Some(form_cookie(shared, nonce))
}

/// Takes the nonce away: a signed-in browser has no use for it.
pub fn removal_cookie(shared: &Shared) -> Cookie<'static> {
    let mut cookie = form_cookie(shared, String::new());
    cookie.make_removal();
    cookie
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
    let nonce = cookie::value(request.headers(), &shared.cookie.form)?;
    secret::decode::<16>(&nonce).map(|_| nonce.into_owned())
}
