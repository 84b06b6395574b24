//! The second step of a log-in.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::db::Refusable as _;
use crate::factors::{Assertion, PasskeyRefusal};
use crate::login::{PendingHash, SecondFactorRefusal};
use crate::web::http::error::{Error, with_next};
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, SecretText, Text};
use crate::web::http::json::{Json, NoInput};
use crate::web::http::{flash, return_to};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::passkeys;
use crate::web::session::guard::Pending;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct SecondFactorForm {
    code: SecretText,
    next: Text,
}

impl FormInput for SecondFactorForm {}

#[derive(Template)]
#[template(path = "login/second_factor.html")]
struct SecondFactorPage {
    page: Page,
    form: Fields,
    with_app: bool,
}

impl SecondFactorPage {
    async fn new(key: PendingHash, ctx: &RequestContext, form: Fields) -> Result<Self, Error> {
        let steps = ctx.accounts().login.second_factor_options(key).await?;
        let page = if steps.passkey { ctx.page_with_passkeys() } else { ctx.page() };
        Ok(Self { page, form, with_app: steps.app })
    }
}

pub async fn form(pending: Pending, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&SecondFactorPage::new(pending.key, &ctx, ctx.fields(&["next"])).await?)
}

pub async fn submit(
    pending: Pending,
    ctx: RequestContext,
    mut form: Form<SecondFactorForm>,
) -> Result<HttpResponse, Error> {
    let SecondFactorForm { code, next } = form.input;
    let asked = ctx.query("next");
    let next = return_to::safe(next.as_str()).or(return_to::safe(&asked)).map(str::to_owned);
    match ctx
        .accounts()
        .login
        .finish_login_with_code(pending.key, code.into_secret(), ctx.client())
        .await
        .split()?
    {
        Ok(opened) => {
            let (restored, next) = (opened.deletion_cancelled, next.as_deref().unwrap_or("/home"));
            ctx.begin_session(opened)?;
            Ok(if restored { ctx.redirect(next, Flash::Restored) } else { flash::see_other(next) })
        }
        Err(SecondFactorRefusal::Gone) => {
            Ok(ctx.redirect(&with_next("/login", next.as_deref()), Flash::LogInExpired))
        }
        Err(SecondFactorRefusal::Code(refusal)) => {
            let wait = refusal.wait();
            form.fields.refuse(if wait.is_some() { "" } else { "code" }, refusal);
            let shown = SecondFactorPage::new(pending.key, &ctx, form.fields).await?;
            wait.map_or_else(|| page::refused(&shown), |wait| page::too_many(wait, &shown))
        }
    }
}

/// The options for the browser: a passkey of the user whose password was accepted.
pub async fn start_passkey(
    pending: Pending,
    ctx: RequestContext,
    _: Json<NoInput>,
) -> Result<HttpResponse, Error> {
    let login = &ctx.accounts().login;
    let Some(user) = login.pending_login_user(pending.key).await? else {
        return Ok(passkeys::log_in_again(&ctx));
    };
    let asked = login.start_passkey_authentication(Some(user), ctx.binding(), ctx.client()).await.split()?;
    Ok(asked.map_or_else(|refusal| passkeys::refused(&refusal), |options| HttpResponse::Ok().json(options)))
}

pub async fn finish_passkey(
    pending: Pending,
    ctx: RequestContext,
    answer: Json<Assertion>,
) -> Result<HttpResponse, Error> {
    let login = &ctx.accounts().login;
    match login.finish_login_with_passkey(pending.key, ctx.binding(), answer.0, ctx.client()).await.split()? {
        Ok(opened) => Ok(passkeys::begin(&ctx, opened).await?),
        Err(PasskeyRefusal::PendingLoginGone) => Ok(passkeys::log_in_again(&ctx)),
        Err(refusal) => Ok(passkeys::refused(&refusal)),
    }
}
