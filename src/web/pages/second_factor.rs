//! The second step of logging in.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::login::{PendingHash, SecondFactorRefusal};
use crate::web::http::error::{Error, with_next};
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, Input, SecretText, Text};
use crate::web::http::{flash, return_to};
use crate::web::pages::context::Ctx;
use crate::web::pages::page::{self, Page};
use crate::web::session::current_session;
use crate::web::session::guard::Pending;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct CodeForm {
    code: SecretText,
    next: Text,
}

impl Input for CodeForm {}

#[derive(Template)]
#[template(path = "login/second_factor.html")]
struct SecondFactorPage {
    page: Page,
    form: Fields,
    with_app: bool,
}

impl SecondFactorPage {
    async fn new(key: PendingHash, ctx: &Ctx, form: Fields) -> Result<Self, Error> {
        let steps = ctx.accounts().login.second_factor_options(key).await?;
        let page = if steps.passkey { ctx.page_with_passkeys() } else { ctx.page() };
        Ok(Self { page, form, with_app: steps.app })
    }
}

pub async fn form(pending: Pending, ctx: Ctx) -> Result<HttpResponse, Error> {
    page::ok(&SecondFactorPage::new(pending.0, &ctx, ctx.fields(&["next"])).await?)
}

pub async fn submit(pending: Pending, ctx: Ctx, mut form: Form<CodeForm>) -> Result<HttpResponse, Error> {
    let CodeForm { code, next } = form.input;
    let asked = ctx.query("next");
    let next = return_to::safe(&next).or(return_to::safe(&asked)).map(str::to_owned);
    match ctx.accounts().login.finish_login_with_code(pending.0, code.reveal(), ctx.client()).await? {
        Ok(opened) => {
            let (restored, next) = (opened.deletion_cancelled, next.as_deref().unwrap_or("/home"));
            current_session::begin(&ctx.request, &ctx.shared, opened)?;
            Ok(if restored { ctx.redirect(next, Flash::Restored) } else { flash::see_other(next) })
        }
        Err(SecondFactorRefusal::Gone) => {
            Ok(ctx.redirect(&with_next("/login", next.as_deref()), Flash::LogInExpired))
        }
        Err(SecondFactorRefusal::Code(refusal)) => {
            let wait = refusal.wait();
            form.fields.refuse(if wait.is_some() { "" } else { "code" }, &refusal);
            let shown = SecondFactorPage::new(pending.0, &ctx, form.fields).await?;
            wait.map_or_else(|| page::refused(&shown), |wait| page::too_many(wait, &shown))
        }
    }
}
