//! `/.latchkey/out`: ends the key that this browser has for this app. The session stays.

use std::time::Duration;

use actix_http::Payload;
use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::rt::time::timeout;
use futures_util::StreamExt as _;
use latchkey_sessions::Use;

use super::app_key::{self, PresentedAppKey};
use super::handoff::clear_site;
use super::page::{PageButton, PageContent, PageLink};
use super::visit::Visit;
use crate::db::Fault;
use crate::secret;
use crate::web::copy::front::{self, FrontCode};
use crate::web::http::{cookies, urlencoded};

const PURPOSE: &str = "app-leave";

/// The one field has 43 characters.
const MAX_BODY: usize = 1024;

/// The body is one packet.
const BODY_WITHIN: Duration = Duration::from_secs(5);

const ACTION: &str = "/.latchkey/out";

/// GET asks the user, POST ends the key.
pub async fn leave(visit: &Visit<'_>, body: Payload) -> Result<HttpResponse, Fault> {
    match *visit.method {
        Method::POST => submit(visit, body).await,
        _ => Ok(ask(visit)),
    }
}

fn ask(visit: &Visit<'_>) -> HttpResponse {
    let log_out = PageLink::to(front::LOG_OUT, visit.shared.public.link("/home")).secondary();
    let content = match visit.key() {
        Some(key) => PageContent {
            button: Some(PageButton { label: front::LEAVE, action: ACTION, token: token(visit, &key) }),
            links: vec![log_out],
            ..PageContent::default()
        },
        None => return left(visit),
    };
    visit.page(FrontCode::Leave, content)
}

async fn submit(visit: &Visit<'_>, body: Payload) -> Result<HttpResponse, Fault> {
    let given = token_field(body).await;
    // Without a key, the browser has already left the app.
    let Some(key) = visit.key() else { return Ok(left(visit)) };
    let is_ours = |given: &str| {
        let origin = visit.origin.to_string();
        let parts = [key.key().as_bytes(), origin.as_bytes()];
        visit.shared.secret.signed(PURPOSE, &parts, given)
    };
    if !visit.is_same_origin() || !given.as_deref().is_some_and(is_ours) {
        let links = vec![PageLink::to(front::TRY_AGAIN, ACTION)];
        return Ok(visit.page(FrontCode::FormExpired, PageContent { links, ..PageContent::default() }));
    }
    if let Some(scoped) = visit.find(&key, Use::Background).await? {
        let (key, client) = (key.key().to_owned(), visit.client.clone());
        visit.shared.accounts.apps.leave(scoped.live, key, visit.app, client).await?;
    }
    let mut response = left(visit);
    cookies::append(response.headers_mut(), &app_key::removal(visit.origin));
    clear_site(visit, &mut response);
    Ok(response)
}

fn left(visit: &Visit<'_>) -> HttpResponse {
    let home = PageLink::to(front::YOUR_APPS, visit.shared.public.link("/home"));
    let again = PageLink::to(front::OPEN_APP, "/").secondary();
    visit.page(FrontCode::Left, PageContent { links: vec![home, again], ..PageContent::default() })
}

/// Bound to the key and to the origin.
fn token(visit: &Visit<'_>, key: &PresentedAppKey) -> String {
    let origin = visit.origin.to_string();
    let parts = [key.key().as_bytes(), origin.as_bytes()];
    secret::encode(&visit.shared.secret.mac(PURPOSE, &parts))
}

/// The field `token` of the form; `None` if the body is not our form.
async fn token_field(body: Payload) -> Option<String> {
    let bytes = timeout(BODY_WITHIN, whole(body)).await.ok()??;
    let pairs = urlencoded::pairs(&bytes).ok()?;
    pairs.into_iter().find_map(|(name, value)| (name == "token").then_some(value))
}

async fn whole(mut body: Payload) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece.ok()?);
        if bytes.len() > MAX_BODY {
            return None;
        }
    }
    Some(bytes)
}
