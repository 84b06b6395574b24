//! The lab's guarded page, once behind a session and once behind a token: real doors, to be asked with any browser or
//! with `curl`. They open for subjects of the lab and to nothing but one line.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use askama::Template;

use super::cookies::Hands;
use crate::lab::{Service, Verdict};
use crate::web::http::error::Error;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Visitor;

#[derive(Template)]
#[template(path = "compare/door.html")]
struct DoorPage {
    page: Page,
    title: &'static str,
    role: &'static str,
    why: String,
}

pub async fn session_door(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    service(&ctx)?;
    let hands = Hands::of(&ctx);
    match hands.run(&ctx).await? {
        Some(run) => {
            let verdict = ctx.shared.lab.session_door(&run, hands.held.session.as_deref()).await?;
            answer(&ctx, "The page behind a session", verdict, "Cookie realm=\"lab\"")
        }
        None => no_run(&ctx, "The page behind a session", "Cookie realm=\"lab\""),
    }
}

pub async fn token_door(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let service = service(&ctx)?;
    let hands = Hands::of(&ctx);
    let bearer = bearer(&ctx);
    match hands.run(&ctx).await? {
        Some(run) => {
            let token = bearer.as_deref().or(hands.held.access.as_deref());
            if !run.services().contains(&service) {
                return Err(Error::NotFound);
            }
            // No error is named to whoever sent none (RFC 6750 §3.1).
            let challenge = match token {
                Some(_) => "Bearer realm=\"lab\", error=\"invalid_token\"",
                None => "Bearer realm=\"lab\"",
            };
            let verdict = ctx.shared.lab.token_door(&run, service, token).await?;
            answer(&ctx, "The page behind a token", verdict, challenge)
        }
        None => no_run(&ctx, "The page behind a token", "Bearer realm=\"lab\""),
    }
}

fn service(ctx: &RequestContext) -> Result<Service, Error> {
    Service::parse(&ctx.query("service")).ok_or(Error::NotFound)
}

/// The token of the header, as those who hold one mostly send it (RFC 6750 §2.1).
fn bearer(ctx: &RequestContext) -> Option<String> {
    let value = ctx.request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

fn answer(
    ctx: &RequestContext,
    title: &'static str,
    verdict: Verdict,
    challenge: &'static str,
) -> Result<HttpResponse, Error> {
    let role = verdict.role.map_or("", |role| role.as_str());
    let status = if verdict.is_admitted() { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
    door(status, DoorPage { page: ctx.page(), title, role, why: verdict.why }, challenge)
}

fn no_run(ctx: &RequestContext, title: &'static str, challenge: &'static str) -> Result<HttpResponse, Error> {
    let why = "No run of the lab is open in this browser.".to_owned();
    door(StatusCode::UNAUTHORIZED, DoorPage { page: ctx.page(), title, role: "", why }, challenge)
}

/// A refusal names how to be let in (RFC 9110 §15.5.2).
fn door(status: StatusCode, template: DoorPage, challenge: &'static str) -> Result<HttpResponse, Error> {
    let mut response = page::show(status, &template)?;
    if status == StatusCode::UNAUTHORIZED {
        let challenge = header::HeaderValue::from_static(challenge);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    Ok(response)
}
