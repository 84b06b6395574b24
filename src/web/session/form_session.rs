//! actix-session and actix-identity, around the rows that take forms, because only forms begin, rotate or end a
//! session. They get the session that was looked up already, and their cookie is sent with the others of the request.
//! How a new key reaches the browser:
//!
//! 1. the handler opens a session in its transaction and calls `current_session::begin`, which leaves the key in the
//!    store's slot for this request (`latchkey_sessions::request`) and tells actix-identity who logged in;
//! 2. after the handler, actix-session asks the store to save, and the store returns that key;
//! 3. actix-session signs it and sets the cookie;
//! 4. `with_form_session` moves the cookie to the `OutgoingCookies` of the request and says how long it is kept;
//! 5. the request layer writes all cookies to the answer.

use actix_session::SessionMiddleware;
use actix_session::config::{BrowserSession, CookieContentSecurity, TtlExtensionPolicy};
use actix_web::HttpResponse;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::cookie::{Key, SameSite};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use latchkey_sessions::{Store, request};
use secrecy::ExposeSecret as _;

use super::current_session;
use super::with_session::enter;
use crate::identity::User;
use crate::web::http::cookies;
use crate::web::http::error::Error;
use crate::web::http::request_state::{MatchedRoute, PresentedKey, RequestState};
use crate::web::http::shared::Shared;

/// actix-session with the store of this program, and the name and keys of its cookie.
pub fn middleware(shared: &Shared) -> SessionMiddleware<Store<User>> {
    let store = shared.accounts.sessions().clone();
    SessionMiddleware::builder(store, Key::from(shared.secret.cookie_key().expose_secret()))
        .cookie_name(shared.cookie.session.clone())
        .cookie_secure(shared.public.is_secure())
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .cookie_path("/".into())
        .cookie_content_security(CookieContentSecurity::Signed)
        // Until the browser closes; `with_form_session` extends it for users who chose to stay logged in.
        .session_lifecycle(
            BrowserSession::default().state_ttl_extension_policy(TtlExtensionPolicy::OnStateChanges),
        )
        .build()
}

/// Wraps [`middleware`]: looks the session up, as for a page, and hands it to actix-session.
pub async fn with_form_session<B: MessageBody>(
    mut arrived: ServiceRequest,
    next: Next<B>,
    route: MatchedRoute,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    if let Err(refused) = enter(arrived.request(), Some(route)).await {
        // Not `into_response`, which loses the error.
        let (request, _) = arrived.into_parts();
        return Ok(ServiceResponse::new(request, HttpResponse::from_error(refused)).map_into_right_body());
    }
    let state = RequestState::of(arrived.request());
    let shared = Shared::of(arrived.request()).map_err(Error::from)?.clone();
    let key = state.presented().map(PresentedKey::key);
    // Signed again, because actix-session does not know the previous secret.
    let ours = key.map(|key| current_session::key_cookie(&shared, key, None));
    cookies::present(arrived.headers_mut(), &shared.cookie.session, ours.as_ref());
    let answer = async {
        let answer = next.call(arrived).await;
        (answer, request::take_fault(), request::key_lifetime())
    };
    let (answer, fault, keep_for) =
        request::scope_with(key.unwrap_or_default(), state.session(), answer).await;
    let mut answer = answer.map_err(|error| fault.map_or(error, |fault| Error::from(fault).into()))?;
    if let Some(cookie) = cookies::take(answer.headers_mut(), &shared.cookie.session) {
        state.put_cookie(cookies::kept_for(cookie, keep_for));
    }
    Ok(answer.map_into_left_body())
}
