//! The session of this request, as verbs: begin, rotate, end. The only user of actix-session and
//! actix-identity beside the composition root.

use std::borrow::Cow;
use std::time::Duration;

use actix_identity::Identity;
use actix_session::{Session, SessionExt as _};
use actix_web::body::MessageBody;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};

use crate::db::Fault;
use crate::identity::LiveUser;
use crate::login::{OpenedSession, PendingHash, PendingKey};
use crate::web::http::cookies;
use crate::web::http::error::Error;
use crate::web::session::{current, known_device};
use crate::web::{LabCookies, Shared};
use latchkey_sessions::{EndReason, Key, request};

/// Gives the browser the key of the session that was opened. Whatever was there before the log-in is
/// dropped, and a session it was still logged in with ends.
pub fn begin(request: &HttpRequest, shared: &Shared, opened: OpenedSession) -> Result<(), Error> {
    let keep_for = opened.remember.then(|| shared.accounts.sessions().policy().absolute(true));
    request.get_session().clear();
    request::issue_key(opened.key, keep_for);
    Identity::login(&request.extensions(), opened.user.to_string()).map_err(Fault::bug)?;
    known_device::keep(request, shared, &opened.device_cookie);
    Ok(())
}

/// Gives the browser the key of a log-in that waits for its second factor, in the place of a session's key: one
/// thrusts out the other.
pub fn wait(response: &mut HttpResponse, shared: &Shared, key: &PendingKey) {
    let _ = response.add_cookie(&key_cookie(shared, shared.signer.sign(key.reveal())));
}

/// What may be the key of a log-in that waits.
pub fn pending_key(request: &HttpRequest, shared: &Shared) -> Option<PendingHash> {
    let signed = cookies::value(request.headers(), &shared.cookie.session)?;
    PendingHash::of(shared.signer.open(&signed)?.value)
}

/// Gives the browser the new key of the session it has.
pub fn rotated(request: &HttpRequest, shared: &Shared, live: &LiveUser, key: Key) {
    let keep_for = live.record.remember.then(|| shared.accounts.sessions().policy().absolute(true));
    request::issue_key(key, keep_for);
    mark_changed(&request.get_session());
}

/// Takes the key out of the browser, whether or not its session was still alive.
pub fn end(response: &mut HttpResponse, shared: &Shared) {
    let mut cookie = key_cookie(shared, String::new());
    cookie.make_removal();
    let _ = response.add_cookie(&cookie);
    // Not "cookies": the answer itself sets one, the sentence for the next page. Not "cache": every page is `no-store`,
    // so there is nothing of the user in it, and Chrome may take seconds to look for it.
    response.headers_mut().insert(header::CLEAR_SITE_DATA, HeaderValue::from_static("\"storage\""));
}

pub fn key_cookie(shared: &Shared, value: String) -> Cookie<'static> {
    Cookie::build(shared.cookie.session.clone(), value)
        .path("/")
        .http_only(true)
        .secure(shared.public.is_secure())
        .same_site(SameSite::Lax)
        .finish()
}

/// Gives actix-session the very cookie that pages go by, under the one key it knows. Answers it for the browser to
/// keep where it was signed with the secret before.
fn present(request: &mut ServiceRequest, shared: &Shared) -> Option<Cookie<'static>> {
    let names = &shared.cookie;
    let signed = cookies::value(request.headers(), &names.session).map(Cow::into_owned);
    let opened = signed.as_deref().and_then(|signed| shared.signer.open(signed));
    let ours = opened.as_ref().map(|opened| key_cookie(shared, shared.signer.sign(opened.value)));
    let first = ours.as_ref().map(|cookie| cookie.stripped().encoded().to_string());
    let LabCookies { run, session, access, refresh, copy } = &names.lab;
    let ours_too = [&names.form, &names.flash, &names.browser, &names.registration];
    let others = ours_too.into_iter().chain([run, session, access, refresh, copy]);
    let others: Vec<&str> = others.map(String::as_str).collect();
    cookies::keep_only(request.headers_mut(), first, &others);
    ours.filter(|_| opened.is_some_and(|opened| !opened.is_current))
}

/// Whether the request came with a key of ours, alive or not.
pub fn had_key(request: &HttpRequest, shared: &Shared) -> bool {
    cookies::value(request.headers(), &shared.cookie.session)
        .is_some_and(|signed| shared.signer.open(&signed).is_some())
}

/// How the session whose key the browser still has ended, for a visitor who is not logged in.
pub async fn how_it_ended(request: &HttpRequest, shared: &Shared) -> Result<Option<EndReason>, Fault> {
    let Some(signed) = cookies::value(request.headers(), &shared.cookie.session) else { return Ok(None) };
    let Some(opened) = shared.signer.open(&signed) else { return Ok(None) };
    shared.accounts.sessions().end_reason(opened.value).await
}

/// Hands a cookie of ours out, unless the answer itself says something of the key: rotated, ended.
pub fn give<B>(response: &mut ServiceResponse<B>, cookie: Cookie<'static>) {
    let says = response.headers().get_all(header::SET_COOKIE).any(|value| is_named(value, cookie.name()));
    if !says {
        let _ = response.response_mut().add_cookie(&cookie);
    }
    if let Some(keep_for) = request::key_lifetime() {
        lengthen(response.headers_mut(), cookie.name(), keep_for);
    }
}

/// Removing what is not there marks a session changed and nothing else: the store is then asked for its key.
fn mark_changed(session: &Session) {
    session.remove("unused");
}

/// Around actix-session: says why when the store failed, and sees to cookies that actix-session knows nothing of.
pub async fn outward<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let Some(shared) = request.app_data::<Data<Shared>>().cloned() else { return next.call(request).await };
    let resigned = present(&mut request, &shared);
    let answer = next.call(request).await;
    if let Some(fault) = request::take_fault() {
        return Err(Error::Fault(fault).into());
    }
    let mut response = answer?;
    if let Some(cookie) = resigned.filter(|_| current::live().is_some()) {
        give(&mut response, cookie);
    } else if let Some(keep_for) = request::key_lifetime() {
        lengthen(response.headers_mut(), &shared.cookie.session, keep_for);
    }
    Ok(response)
}

/// Lets a remembered key outlive the browser.
fn lengthen(headers: &mut HeaderMap, name: &str, keep_for: Duration) {
    let cookies: Vec<HeaderValue> = headers.remove(header::SET_COOKIE).collect();
    for cookie in cookies {
        let ours = cookie.to_str().ok().filter(|text| is_named(&cookie, name) && !text.contains("Max-Age"));
        let lasting = ours
            .and_then(|text| HeaderValue::from_str(&format!("{text}; Max-Age={}", keep_for.as_secs())).ok());
        headers.append(header::SET_COOKIE, lasting.unwrap_or(cookie));
    }
}

fn is_named(set_cookie: &HeaderValue, name: &str) -> bool {
    set_cookie.as_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
}
