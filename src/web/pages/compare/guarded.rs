//! The lab's guarded page, once behind a session and once behind a token, for any browser and for `curl`. Only
//! credentials of the lab are accepted, and the page shows nothing but the verdict.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use askama::Template;

use super::cookies::ReceivedCookies;
use super::copy;
use crate::lab::{Service, Verdict};
use crate::web::http::error::Error;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Visitor;

#[derive(Template)]
#[template(path = "compare/session.html")]
struct SessionPage {
    page: Page,
    check: CheckView,
}

#[derive(Template)]
#[template(path = "compare/jwt.html")]
struct JwtPage {
    page: Page,
    check: CheckView,
}

pub struct CheckView {
    /// Empty if the credential is refused.
    role: &'static str,
    reason: String,
    code: &'static str,
}

impl CheckView {
    pub fn new(verdict: Option<&Verdict>) -> Self {
        match verdict {
            Some(verdict) => Self {
                role: verdict.role.map_or("", |role| role.as_str()),
                reason: copy::reason(&verdict.reason),
                code: verdict.reason.code(),
            },
            None => Self { role: "", reason: copy::NO_RUN.to_owned(), code: "no-run" },
        }
    }

    fn status(&self) -> StatusCode {
        if self.role.is_empty() { StatusCode::UNAUTHORIZED } else { StatusCode::OK }
    }

    pub fn page_behind_session(self, ctx: &RequestContext) -> Result<HttpResponse, Error> {
        let status = self.status();
        let page = page::show(status, &SessionPage { page: ctx.page(), check: self })?;
        Ok(with_challenge(page, "Cookie realm=\"lab\""))
    }

    pub fn page_behind_token(
        self,
        ctx: &RequestContext,
        challenge: &'static str,
    ) -> Result<HttpResponse, Error> {
        let status = self.status();
        let page = page::show(status, &JwtPage { page: ctx.page(), check: self })?;
        Ok(with_challenge(page, challenge))
    }
}

pub async fn session(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    service_in(&ctx)?;
    let received = ReceivedCookies::of(&ctx);
    let verdict = match received.run(&ctx).await? {
        Some(run) => {
            let cookie = received.credentials.browser.session.as_deref();
            Some(ctx.lab()?.check_session(&run, cookie).await?)
        }
        None => None,
    };
    CheckView::new(verdict.as_ref()).page_behind_session(&ctx)
}

pub async fn jwt(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let service = service_in(&ctx)?;
    let received = ReceivedCookies::of(&ctx);
    let bearer = bearer_token(&ctx);
    let token = bearer.as_deref().or(received.credentials.browser.access.as_deref());
    let verdict = match received.run(&ctx).await? {
        Some(run) if !run.services().contains(&service) => return Err(Error::NotFound),
        Some(run) => Some(ctx.lab()?.check_token(&run, service, token).await?),
        None => None,
    };
    CheckView::new(verdict.as_ref())
        .page_behind_token(&ctx, bearer_challenge(verdict.is_some() && token.is_some()))
}

fn service_in(ctx: &RequestContext) -> Result<Service, Error> {
    Service::parse(&ctx.query("service")).ok_or(Error::NotFound)
}

/// The token of the `Authorization` header (RFC 6750 §2.1).
fn bearer_token(ctx: &RequestContext) -> Option<String> {
    let value = ctx.request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// A request without a token gets no error code (RFC 6750 §3.1).
pub fn bearer_challenge(had_token: bool) -> &'static str {
    if had_token { "Bearer realm=\"lab\", error=\"invalid_token\"" } else { "Bearer realm=\"lab\"" }
}

/// A 401 must say how to authenticate (RFC 9110 §15.5.2).
fn with_challenge(mut response: HttpResponse, challenge: &'static str) -> HttpResponse {
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = header::HeaderValue::from_static(challenge);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
