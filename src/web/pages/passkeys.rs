//! Log in with a passkey alone, and the responses that all passkey routes share.

use actix_web::HttpResponse;
use serde_json::json;

use crate::db::{Fault, Refusable as _};
use crate::factors::{Assertion, PasskeyRefusal};
use crate::login::{OpenedSession, PasskeyLogin};
use crate::web::http::error::{Error, with_next};
use crate::web::http::flash::Flash;
use crate::web::http::json::{self, Json, NoInput};
use crate::web::http::return_to;
use crate::web::pages::context::{RequestContext, wants_remember};
use crate::web::session::guard::Visitor;

/// The options for the browser: a passkey of any user.
pub async fn start(_: Visitor, ctx: RequestContext, _: Json<NoInput>) -> Result<HttpResponse, Error> {
    let asked =
        ctx.accounts().login.start_passkey_authentication(None, ctx.binding(), ctx.client()).await.split()?;
    Ok(asked.map_or_else(|refusal| refused(&refusal), |options| HttpResponse::Ok().json(options)))
}

pub async fn finish(
    visitor: Visitor,
    ctx: RequestContext,
    answer: Json<Assertion>,
) -> Result<HttpResponse, Error> {
    let remember = wants_remember(&ctx.query("remember"));
    let answer = PasskeyLogin { assertion: answer.0, remember, replaces: visitor.session };
    match ctx.accounts().login.log_in_with_passkey(ctx.binding(), answer, ctx.client()).await.split()? {
        Ok(opened) => Ok(begin(&ctx, opened).await?),
        Err(refusal) => Ok(refused(&refusal)),
    }
}

/// The pending log-in ended, so the browser starts again at the log-in page.
pub fn log_in_again(ctx: &RequestContext) -> HttpResponse {
    let log_in = with_next("/login", return_to::safe(&ctx.query("next")));
    ctx.flash(Flash::LogInExpired);
    HttpResponse::Forbidden().json(json!({ "next": log_in }))
}

/// Gives the browser its session key.
pub async fn begin(ctx: &RequestContext, opened: OpenedSession) -> Result<HttpResponse, Fault> {
    let restored = opened.deletion_cancelled;
    ctx.begin_session(opened)?;
    if restored {
        ctx.flash(Flash::Restored);
    }
    Ok(go_on(ctx))
}

/// The target is in the body, because a script cannot be redirected to a page.
pub fn go_on(ctx: &RequestContext) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "next": return_to::safe(&ctx.query("next")).unwrap_or("/home") }))
}

pub fn refused(refusal: &PasskeyRefusal) -> HttpResponse {
    match refusal {
        PasskeyRefusal::TooMany(wait) => json::too_many(*wait),
        refusal => json::refused(&refusal.into()),
    }
}
