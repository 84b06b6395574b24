//! Recovery codes: a new set, shown once and offered as a file.

use actix_web::HttpResponse;
use actix_web::http::header;
use askama::Template;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use crate::db::Refusable as _;
use crate::factors::{RecoveryCodes, RecoveryCodesRefusal};
use crate::identity::UserSession as _;
use crate::web::copy::notices::codes_for;
use crate::web::copy::phrase::Phrase;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Form, FormInput, Preset, SecretText};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Confirmed;

const PAGE: &str = "/account/security";

#[derive(Template)]
#[template(path = "account/recovery_codes.html")]
struct CodesPage {
    page: Page,
    codes: Vec<String>,
    /// The factor that the codes were created with; `None` if the user requested them.
    news: Option<Flash>,
    /// The earlier codes stopped working.
    replaced: bool,
    codes_for: Phrase,
}

/// The answer to the form that created `codes`. They cannot be shown again: only their hashes are stored.
pub async fn show(
    me: &Confirmed,
    ctx: &RequestContext,
    codes: &RecoveryCodes,
    news: Option<Flash>,
    replaced: bool,
) -> Result<HttpResponse, Error> {
    let factors = ctx.accounts().factors.status(me.session.user_id()).await?;
    page::ok(&CodesPage {
        page: ctx.page().at(PAGE),
        codes: codes.formatted(),
        news,
        replaced,
        codes_for: codes_for(&factors),
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct MakeForm {
    replaces: Preset,
}

impl FormInput for MakeForm {}

pub async fn make(me: Confirmed, ctx: RequestContext, form: Form<MakeForm>) -> Result<HttpResponse, Error> {
    let replaces = Some(form.input.replaces.0).filter(|set| !set.is_empty());
    match ctx
        .accounts()
        .factors
        .create_recovery_codes(me.session.clone(), replaces, ctx.client())
        .await
        .split()?
    {
        Ok(new) => show(&me, &ctx, &new.codes, None, new.replaced).await,
        Err(RecoveryCodesRefusal::NoFactor) => Ok(ctx.redirect(PAGE, Flash::NoFactor)),
        Err(RecoveryCodesRefusal::Replaced) => Ok(ctx.redirect(PAGE, Flash::CodesShown)),
    }
}

/// The page sends its codes back, because the server cannot show them again.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct CodesForm {
    codes: SecretText,
}

impl FormInput for CodesForm {}

pub async fn download(
    me: Confirmed,
    ctx: RequestContext,
    form: Form<CodesForm>,
) -> Result<HttpResponse, Error> {
    let codes = form.input.codes.into_secret();
    let shown: Vec<&str> = codes.expose_secret().split_whitespace().collect();
    let Some(codes) = ctx.accounts().factors.recovery_codes_for_file(&me.session, &shown).await? else {
        return Ok(ctx.redirect(PAGE, Flash::CodesUnknown));
    };
    let email = ctx.accounts().users.email_of(&me.session).await?.unwrap_or_default();
    let text = format!(
        "Latchkey recovery codes\r\n{email}\r\n{}\r\n\r\nEach code logs you in once, together with your password. Keep them where only you can see them.\r\n\r\n{}\r\n",
        ctx.shared.public.as_str(),
        codes.join("\r\n"),
    );
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"latchkey-recovery-codes.txt\""))
        .body(text))
}
