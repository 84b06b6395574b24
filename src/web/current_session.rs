//! The session of this request, as verbs: begin, rotate, end. The only user of actix-session and
//! actix-identity beside the composition root.

use actix_identity::Identity;
use actix_session::SessionExt as _;
use actix_web::body::MessageBody;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};

use super::Shared;
use super::error::Error;
use crate::accounts::{LiveUser, Opened};
use crate::db::Fault;
use crate::sessions::{Key, request};

/// A key was handed over: the browser's other cookies of ours are done with.
pub struct SignedInNow;

/// Gives the browser the key of the session that was opened. Whatever was there before the log-in is
/// dropped, and a session it was still logged in with ends.
pub fn begin(request: &HttpRequest, shared: &Shared, opened: Opened) -> Result<(), Error> {
    let keep_for = opened.remember.then(|| shared.accounts.sessions().policy().absolute(true));
    request.get_session().clear();
    request::hand_over(opened.key, keep_for);
    Identity::login(&request.extensions(), opened.user.to_string()).map_err(Fault::bug)?;
    request.extensions_mut().insert(SignedInNow);
    Ok(())
}

/// Gives the browser the new key of the session it has.
pub fn rotated(request: &HttpRequest, shared: &Shared, live: &LiveUser, key: Key) {
    let keep_for = live.record.remember.then(|| shared.accounts.sessions().policy().absolute(true));
    request::hand_over(key, keep_for);
    // Removing what is not there marks the session changed and nothing else: the store is then asked.
    request.get_session().remove("rotated");
}

/// Takes the key out of the browser, whether or not its session was still alive.
pub fn end(response: &mut HttpResponse, shared: &Shared) {
    let mut cookie = Cookie::build(shared.cookie.session.clone(), "")
        .path("/")
        .http_only(true)
        .secure(shared.public.is_secure())
        .same_site(SameSite::Lax)
        .finish();
    cookie.make_removal();
    let _ = response.add_cookie(&cookie);
    // Not "cookies": the answer itself sets one, the sentence for the next page.
    let everything = HeaderValue::from_static("\"cache\", \"storage\"");
    response.headers_mut().insert(header::CLEAR_SITE_DATA, everything);
}

/// Around actix-session: says why when the store failed, and lets a remembered key outlive the browser.
pub async fn outward<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let name = request
        .app_data::<Data<Shared>>()
        .map(|shared| format!("{}=", shared.cookie.session))
        .unwrap_or_default();
    let answer = next.call(request).await;
    if let Some(fault) = request::take_fault() {
        return Err(Error::Fault(fault).into());
    }
    let mut response = answer?;
    if let Some(keep_for) = request::keep_for() {
        let cookies: Vec<HeaderValue> = response.headers_mut().remove(header::SET_COOKIE).collect();
        for cookie in cookies {
            let ours =
                cookie.to_str().ok().filter(|text| text.starts_with(&name) && !text.contains("Max-Age"));
            let lasting = ours.and_then(|text| {
                HeaderValue::from_str(&format!("{text}; Max-Age={}", keep_for.as_secs())).ok()
            });
            response.headers_mut().append(header::SET_COOKIE, lasting.unwrap_or(cookie));
        }
    }
    Ok(response)
}
