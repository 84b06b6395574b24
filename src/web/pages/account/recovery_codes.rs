//! Recovery codes: a new set, shown once, and the same as a file.

use actix_web::HttpResponse;
use actix_web::http::header;
use askama::Template;
use serde::Deserialize;

use crate::accounts::RecoveryCodes;
use crate::web::ctx::Ctx;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::form::{Form, Input, SecretText};
use crate::web::guard::Confirmed;
use crate::web::page::{self, Page};
use crate::web::pages::Button;

const PAGE: &str = "/account/security";

#[derive(Template)]
#[template(path = "account/recovery_codes.html")]
struct CodesPage {
    page: Page,
    codes: Vec<String>,
    /// The app was just set up, and these came with it.
    first: bool,
}

pub fn show(ctx: &Ctx, codes: &RecoveryCodes, first: bool) -> Result<HttpResponse, Error> {
    page::ok(&CodesPage { page: ctx.page().at(PAGE), codes: codes.shown(), first })
}

pub async fn make(me: Confirmed, ctx: Ctx, _: Form<Button>) -> Result<HttpResponse, Error> {
    match ctx.accounts().make_recovery_codes(me.0.clone(), ctx.client()).await? {
        Ok(codes) => show(&ctx, &codes, false),
        Err(_) => Ok(ctx.redirect(PAGE, Flash::NoFactor)),
    }
}

/// The page brings its codes back: we could not say them again.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct CodesForm {
    codes: SecretText,
}

impl Input for CodesForm {}

pub async fn download(me: Confirmed, ctx: Ctx, form: Form<CodesForm>) -> Result<HttpResponse, Error> {
    let codes = form.input.codes.reveal();
    let shown: Vec<&str> = codes.split_whitespace().collect();
    let Some(codes) = ctx.accounts().own_recovery_codes(&me, &shown).await? else {
        return Ok(ctx.redirect(PAGE, Flash::CodesUnknown));
    };
    let email = ctx.accounts().email_of(&me).await?.unwrap_or_default();
    let text = format!(
        "Latchkey recovery codes\r\n{email}\r\n{}\r\n\r\nEach one opens your account once, together with your password. Keep them where nobody else looks.\r\n\r\n{}\r\n",
        ctx.shared.public.as_str(),
        codes.join("\r\n"),
    );
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"latchkey-recovery-codes.txt\""))
        .body(text))
}
