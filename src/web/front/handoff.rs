//! The handoff: how the origin of an app gets a key of its own for a session of the portal.
//!
//! 1. `/.latchkey/in` on the app's origin stores a random state in this browser and redirects to the portal;
//! 2. `/go/{slug}` on the portal (`pages/go.rs`) finds the session, and redirects back with a code;
//! 3. `/.latchkey/enter` exchanges the code for a key, once, in the browser that has the state.

use actix_web::HttpResponse;
use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};

use super::app_key;
use super::app_request::{AppRequest, component};
use super::page::{self, PageContent, PageLink};
use crate::apps::{HandoffRefusal, PresentedCode};
use crate::db::{Fault, Refusable as _};
use crate::secret;
use crate::web::copy::front::{self, FrontCode};
use crate::web::http::cookies;

/// GET `/.latchkey/in`: redirects to the portal. A browser that already has a live key gets a page instead: if a proxy
/// does not pass the key on to the app, the browser would otherwise be redirected again and again.
pub async fn begin(app_request: &AppRequest<'_>) -> Result<HttpResponse, Fault> {
    let (to, fresh) = (app_request.to(), app_request.query("fresh") == Some("1"));
    if !fresh && has_live_key(app_request).await? {
        let links = vec![PageLink::to(front::CONTINUE, to)];
        return Ok(app_request.page(FrontCode::KeyNotPassed, PageContent { links, ..PageContent::default() }));
    }
    let state = match app_key::state(app_request.headers, app_request.origin) {
        Some(state) => state,
        None => app_key::new_state().map_err(Fault::bug)?,
    };
    let portal = app_request.shared.public.link(&format!(
        "/go/{}?state={}&at={}&to={}{}",
        app_request.app.slug,
        secret::encode(&secret::sha256(state.as_bytes())),
        component(&app_request.origin.authority()),
        component(&to),
        if fresh { "&fresh=1" } else { "" },
    ));
    let mut response = page::redirect(StatusCode::FOUND, &portal);
    cookies::append(response.headers_mut(), &app_key::state_cookie(app_request.origin, &state));
    Ok(response)
}

/// GET `/.latchkey/enter`: exchanges the code for a key. The first attempt uses the code up, right or wrong.
pub async fn enter(app_request: &AppRequest<'_>) -> Result<HttpResponse, Fault> {
    let Some(state) = app_key::state(app_request.headers, app_request.origin) else {
        // Without the state no code can be right, so the database is not asked.
        let links = vec![PageLink::to(front::TRY_AGAIN, "/")];
        return Ok(
            app_request.page(FrontCode::NoStateCookie, PageContent { links, ..PageContent::default() })
        );
    };
    let signed = app_request.query("code").unwrap_or_default();
    let Some(code) = app_key::verified_code(&app_request.shared.secret, app_request.origin, signed) else {
        return Ok(spent(app_request));
    };
    let attempt = PresentedCode {
        code: code.to_owned(),
        app: app_request.app.id,
        slug: app_request.app.slug.clone(),
        origin: app_request.origin.to_string(),
        state_hash: secret::sha256(state.as_bytes()),
    };
    let entered =
        match app_request.shared.accounts.apps.enter(attempt, app_request.client.clone()).await.split()? {
            Ok(entered) => entered,
            Err(HandoffRefusal) => return Ok(spent(app_request)),
        };
    let destination = format!("{}{}", app_request.origin, entered.path);
    let mut response = page::redirect(StatusCode::SEE_OTHER, &destination);
    let secret = &app_request.shared.secret;
    if app_request.key().is_some_and(|key| !key.is_of(secret, entered.user)) {
        clear_site(app_request, &mut response);
    }
    let keep_for = app_request.shared.keep_for(entered.remember);
    let key = app_key::key_cookie(secret, app_request.origin, &entered.key, entered.user, keep_for);
    cookies::append(response.headers_mut(), &key);
    Ok(response)
}

fn spent(app_request: &AppRequest<'_>) -> HttpResponse {
    let links = vec![PageLink::to(front::OPEN_APP, "/")];
    app_request.page(FrontCode::CodeUsed, PageContent { links, ..PageContent::default() })
}

async fn has_live_key(app_request: &AppRequest<'_>) -> Result<bool, Fault> {
    let Some(key) = app_request.key() else { return Ok(false) };
    Ok(app_request.find(&key.credential(), latchkey_sessions::Use::Background).await?.is_some())
}

/// Removes the data that the app left in this browser for another user: cache, storage, and the cookies that the
/// operator named. The other cookies stay, because clearing them would also affect other hosts of the domain.
pub fn clear_site(app_request: &AppRequest<'_>, response: &mut HttpResponse) {
    let what = HeaderValue::from_static("\"cache\", \"storage\"");
    response.headers_mut().insert(header::CLEAR_SITE_DATA, what);
    for name in &app_request.app.app_cookies {
        let mut cookie =
            Cookie::build(name.to_owned(), "").path("/").secure(app_request.origin.is_https()).finish();
        cookie.make_removal();
        cookies::append(response.headers_mut(), &cookie);
    }
}
