//! Looks the session of a request up, once for a page and a second time when the body of a form is complete, and puts
//! it into the [`RequestState`]. Only this file verifies the cookie.

use actix_web::HttpRequest;
use actix_web::{FromRequest, Handler, Responder};

use super::current_session;
use crate::web::http::error::Error;
use crate::web::http::methods::{RouteService, service};
use crate::web::http::request_state::{MatchedRoute, PresentedKey, RequestState};
use crate::web::http::shared::Shared;
use crate::web::http::{cookies, origin_check};

/// `handler` as a service that looks the session up before any argument is extracted, so that guards need not wait.
pub fn with_session<H, Args>(route: Option<MatchedRoute>, handler: H) -> impl RouteService
where
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    service(async move |request| enter(request, route).await, handler)
}

/// The first steps of every row: records the route, refuses requests from other sites, and looks the session up.
pub async fn enter(request: &HttpRequest, route: Option<MatchedRoute>) -> Result<(), Error> {
    let state = RequestState::of(request);
    state.route.set(route);
    let shared = Shared::of(request)?;
    origin_check::check(request, shared)?;
    let presented = state.presented_key.get_or_init(|| presented_key(request, shared));
    look_up(&state, shared).await?;
    if let (Some(presented), Some(live)) = (presented, state.session())
        && !presented.is_current
    {
        // Signed with the previous secret, which will be removed.
        let keep_for = shared.keep_for(live.record.remember);
        state.put_cookie(current_session::key_cookie(shared, presented.key(), keep_for));
    }
    Ok(())
}

/// Looks the session up again, for a request whose body took time to arrive: from memory while the lease holds. A
/// session that ended meanwhile is not found. Neither is one whose key was rotated: the old key does not distinguish
/// the owner, in another tab, from a thief.
pub async fn look_up(state: &RequestState, shared: &Shared) -> Result<(), Error> {
    let live = match state.presented() {
        Some(presented) => shared.accounts.sessions().find_by_cookie(presented.key()).await?,
        None => None,
    };
    state.set_session(live);
    Ok(())
}

/// The key of the session cookie, if its signature is valid.
fn presented_key(request: &HttpRequest, shared: &Shared) -> Option<PresentedKey> {
    let signed = cookies::value(request.headers(), &shared.cookie.session)?;
    let opened = shared.signer.open(&signed)?;
    let (key_starts_at, is_current) = (signed.len() - opened.value.len(), opened.is_current);
    Some(PresentedKey { signed: signed.into_owned(), key_starts_at, is_current })
}
