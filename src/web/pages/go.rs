//! GET `/go/{slug}`: the portal's part of a handoff (`front/handoff.rs`), and the link to an app on our own pages.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::apps::{
    AccessRequest, Answer, App, AppOrigin, Caller, NewHandoff, RequestHeaders, RequestKind, decide,
};
use crate::db::Fault;
use crate::identity::LiveUser;
use crate::secret;
use crate::web::copy::{self, front::FrontCopy};
use crate::web::front;
use crate::web::http::error::Error;
use crate::web::http::path::{BySlug, Path};
use crate::web::http::request_state::RequestState;
use crate::web::http::{client_address, flash};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::{Visitor, way_back};

#[derive(Template)]
#[template(path = "go/slug.html")]
struct GoPage<'a> {
    page: Page,
    name: &'a str,
    target: &'a str,
}

#[derive(Template)]
#[template(path = "go_refused.html")]
struct GoRefusedPage<'a> {
    page: Page,
    name: &'a str,
    copy: FrontCopy,
    email: &'a str,
    why: String,
    set_up: bool,
    request_id: &'a str,
}

pub async fn to_app(
    visitor: Visitor,
    ctx: RequestContext,
    path: Path<BySlug>,
) -> Result<HttpResponse, Error> {
    if !is_navigation(&ctx.request) {
        return Err(Error::CrossSite);
    }
    let Some(live) = visitor.session else { return Err(Error::LogIn { next: way_back(&ctx.request) }) };
    let snapshot = ctx.accounts().apps.snapshot().await?;
    let app = snapshot.by_slug(&path.0.slug).filter(|app| app.enabled).ok_or(Error::NotFound)?;
    if ctx.query("fresh") == "1" && app.shortest_fresh().is_some_and(|fresh| !live.confirmed_within(fresh)) {
        return Err(Error::Confirm { next: way_back(&ctx.request) });
    }
    let state = ctx.query("state");
    if state.is_empty() {
        let first = app.origins.first().ok_or(Error::NotFound)?;
        return open(&ctx, app, &format!("{first}/"));
    }
    let (origin, state_hash) = handoff(app, &ctx.query("at"), &state).ok_or(Error::NotFound)?;
    let to = ctx.query("to");
    let to = front::local_path(&to).unwrap_or("/");
    if let Some(refused) = refusal(&ctx, app, to, &live)? {
        return Ok(refused);
    }
    let code = ctx.accounts().apps.begin_handoff(NewHandoff {
        session: live.record.handle,
        app: app.id,
        origin: origin.to_string(),
        state_hash,
        path: to.to_owned(),
        proved_at: live.record.confirmed_at,
    });
    let code = front::signed_code(&ctx.shared.secret, origin, &code.await?);
    open(&ctx, app, &format!("{origin}{}enter?code={code}", front::RESERVED))
}

/// Whether the browser opens this in a tab, as far as it says. Pages of apps could have it loaded as an image again and
/// again, and each time a code of this user would be replaced.
fn is_navigation(request: &HttpRequest) -> bool {
    let is = |name: &str, value: &str| request.headers().get(name).is_none_or(|given| given == value);
    is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}

/// The origin and the hash that the app's side of the handoff sent.
fn handoff<'a>(app: &'a App, at: &str, state: &str) -> Option<(&'a AppOrigin, [u8; 32])> {
    let origin = app.origins.iter().find(|origin| origin.authority() == at)?;
    Some((origin, secret::decode(state)?))
}

/// What the rules say about opening `to`, unless they let the user in. A page of the app repeats the decision.
fn refusal(
    ctx: &RequestContext,
    app: &App,
    to: &str,
    live: &LiveUser,
) -> Result<Option<HttpResponse>, Error> {
    let path = to.split(['?', '#']).next().unwrap_or(to);
    let hops = ctx.shared.trusted_hops;
    let headers = RequestHeaders::read(front::header_texts(ctx.request.headers()));
    let asked = AccessRequest {
        kind: RequestKind::Navigation,
        origin: None,
        fetch_site: None,
        ..AccessRequest::new("GET", path, &headers, false, client_address::of(&ctx.request, hops), hops)
    };
    let (answer, trace) =
        decide(app, &asked, Some(&Caller::of(live, live.record.confirmed_at)), live.moment());
    let code = match answer {
        Answer::Pass { .. } | Answer::LogIn => return Ok(None),
        Answer::Confirm { .. } => return Err(Error::Confirm { next: way_back(&ctx.request) }),
        answer => front::code_of(answer),
    };
    let template = GoRefusedPage {
        page: ctx.page(),
        name: &app.name,
        copy: code.copy(),
        email: live.owner.email(),
        why: copy::access::why_refused(app, &trace).unwrap_or_default(),
        set_up: front::can_set_up(code),
        request_id: &RequestState::of(&ctx.request).id,
    };
    Ok(Some(page::show(StatusCode::FORBIDDEN, &template)?))
}

/// Sends the browser to `target`. The policy `form-action 'self'` blocks a redirect from our forms to another site,
/// so after a log-in a page leads there.
fn open(ctx: &RequestContext, app: &App, target: &str) -> Result<HttpResponse, Error> {
    let site = ctx.request.headers().get("sec-fetch-site");
    let is_from_our_form = site.is_none_or(|site| site == "same-origin");
    let mut response = if is_from_our_form {
        let mut response = page::ok(&GoPage { page: ctx.page(), name: &app.name, target })?;
        let refresh = HeaderValue::from_str(&format!("0; url={target}")).map_err(Fault::bug)?;
        response.headers_mut().insert(HeaderName::from_static("refresh"), refresh);
        response
    } else {
        flash::see_other(target)
    };
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}
