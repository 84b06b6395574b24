//! `/.latchkey/out`: ends the key that this browser has for this app. The session stays.

use actix_http::Payload;
use actix_web::HttpResponse;
use actix_web::http::Method;
use latchkey_sessions::Use;

use super::app_key::{self, PresentedAppKey};
use super::app_request::AppRequest;
use super::handoff::clear_site;
use super::page::{PageButton, PageContent, PageLink};
use crate::db::Fault;
use crate::secret;
use crate::web::copy::front::{self, FrontCode};
use crate::web::http::body::{self, Media};
use crate::web::http::{cookies, urlencoded};
use crate::web::streams::LiveCredential;

const PURPOSE: &str = "app-leave";

const ACTION: &str = "/.latchkey/out";

/// GET asks the user, POST ends the key.
pub async fn leave(app_request: &AppRequest<'_>, body: Payload) -> Result<HttpResponse, Fault> {
    match *app_request.method {
        Method::POST => submit(app_request, body).await,
        _ => Ok(ask(app_request)),
    }
}

fn ask(app_request: &AppRequest<'_>) -> HttpResponse {
    let log_out = PageLink::to(front::LOG_OUT, app_request.shared.public.link("/home")).secondary();
    let content = match app_request.key() {
        Some(key) => PageContent {
            button: Some(PageButton { label: front::LEAVE, action: ACTION, token: token(app_request, &key) }),
            links: vec![log_out],
            ..PageContent::default()
        },
        None => return left(app_request),
    };
    app_request.page(FrontCode::Leave, content)
}

async fn submit(app_request: &AppRequest<'_>, body: Payload) -> Result<HttpResponse, Fault> {
    let given = token_field(app_request, body).await;
    // Without a key, the browser has already left the app.
    let Some(key) = app_request.key() else { return Ok(left(app_request)) };
    let is_ours = |given: &str| {
        let origin = app_request.origin.to_string();
        let parts = [key.key().as_bytes(), origin.as_bytes()];
        app_request.shared.secret.signed(PURPOSE, &parts, given)
    };
    if !app_request.is_same_origin() || !given.as_deref().is_some_and(is_ours) {
        let links = vec![PageLink::to(front::TRY_AGAIN, ACTION)];
        return Ok(app_request.page(FrontCode::FormExpired, PageContent { links, ..PageContent::default() }));
    }
    if let Some(LiveCredential::Session(scoped)) =
        app_request.find(&key.credential(), Use::Background).await?
    {
        let (key, client) = (key.key().to_owned(), app_request.client.clone());
        app_request.shared.accounts.apps.leave(scoped.live, key, app_request.app, client).await?;
    }
    let mut response = left(app_request);
    cookies::append(response.headers_mut(), &app_key::removal(app_request.origin));
    clear_site(app_request, &mut response);
    Ok(response)
}

fn left(app_request: &AppRequest<'_>) -> HttpResponse {
    let home = PageLink::to(front::YOUR_APPS, app_request.shared.public.link("/home"));
    let again = PageLink::to(front::OPEN_APP, "/").secondary();
    app_request.page(FrontCode::Left, PageContent { links: vec![home, again], ..PageContent::default() })
}

/// Bound to the key and to the origin.
fn token(app_request: &AppRequest<'_>, key: &PresentedAppKey) -> String {
    let origin = app_request.origin.to_string();
    let parts = [key.key().as_bytes(), origin.as_bytes()];
    secret::encode(&app_request.shared.secret.mac(PURPOSE, &parts))
}

/// The field `token` of the form; `None` if the body is not our form.
async fn token_field(app_request: &AppRequest<'_>, body: Payload) -> Option<String> {
    let bytes = body::read(app_request.headers, body, Media::Form).await.ok()?;
    let pairs = urlencoded::pairs(&bytes).ok()?;
    pairs.into_iter().find_map(|(name, value)| (name == "token").then_some(value))
}
