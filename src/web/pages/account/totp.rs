//! The user's authenticator app: set it up, remove it.

use actix_web::HttpResponse;
use askama::Template;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use time::OffsetDateTime;

use super::recovery_codes;
use crate::db::Refusable as _;
use crate::factors::{FactorStatus, TotpEnrolment, TotpRefusal};
use crate::web::copy::notices::codes_for;
use crate::web::copy::phrase::Phrase;
use crate::web::copy::refusals::WRONG_FIRST_CODE;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, SecretText};
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::qr::Qr;
use crate::web::pages::view::When;
use crate::web::session::guard::Confirmed;

const PAGE: &str = "/account/security";

/// For `account/_totp.html`: the app, and the recovery codes that replace it.
pub struct Totp {
    pub since: Option<When>,
    pub locked: bool,
    pub codes_left: usize,
    /// Identifies the current set of recovery codes, for the form that replaces it.
    pub code_set: String,
    /// What a recovery code replaces.
    pub codes_for: Phrase,
    /// Whether a log-in needs more than the password.
    pub on: bool,
}

impl Totp {
    pub fn new(factors: &FactorStatus, now: OffsetDateTime) -> Self {
        Self {
            since: factors.totp.as_ref().map(|totp| When::new(totp.since, now)),
            locked: factors.totp.as_ref().is_some_and(|totp| totp.locked),
            codes_left: factors.recovery_codes,
            code_set: factors.code_set.clone(),
            codes_for: codes_for(factors),
            on: factors.on,
        }
    }
}

#[derive(Template)]
#[template(path = "account/totp/start.html")]
struct EnrolPage {
    page: Page,
    form: Fields,
    qr: Qr,
    key: String,
}

impl EnrolPage {
    fn new(ctx: &RequestContext, enrolment: TotpEnrolment, form: Fields) -> Result<Self, Error> {
        Ok(Self {
            page: ctx.page().at(PAGE),
            form,
            qr: Qr::of(enrolment.uri.expose_secret())?,
            key: enrolment.key.expose_secret().to_owned(),
        })
    }
}

pub async fn start(me: Confirmed, ctx: RequestContext, _: Form<NoFields>) -> Result<HttpResponse, Error> {
    match ctx.accounts().factors.start_totp(&me.session).await.split()? {
        Ok(enrolment) => page::ok(&EnrolPage::new(&ctx, enrolment, Fields::default())?),
        Err(_) => Ok(ctx.redirect(PAGE, Flash::TotpOnAlready)),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct TotpCodeForm {
    code: SecretText,
}

impl FormInput for TotpCodeForm {}

pub async fn finish(
    me: Confirmed,
    ctx: RequestContext,
    mut form: Form<TotpCodeForm>,
) -> Result<HttpResponse, Error> {
    match ctx
        .accounts()
        .factors
        .finish_totp(me.session.clone(), form.input.code.into_secret(), ctx.client())
        .await
        .split()?
    {
        Ok(Some(codes)) => recovery_codes::show(&me, &ctx, &codes, Some(Flash::TotpAdded), false).await,
        Ok(None) => Ok(ctx.redirect(PAGE, Flash::TotpAdded)),
        // The page with the codes was reloaded, which sends this form again.
        Err(TotpRefusal::AlreadyOn) => Ok(ctx.redirect(PAGE, Flash::CodesShown)),
        Err(TotpRefusal::NotStarted) => Ok(ctx.redirect(PAGE, Flash::TotpExpired)),
        Err(TotpRefusal::Wrong(enrolment)) => {
            form.fields.refuse("code", WRONG_FIRST_CODE);
            page::refused(&EnrolPage::new(&ctx, enrolment, form.fields)?)
        }
    }
}

pub async fn remove(me: Confirmed, ctx: RequestContext, _: Form<NoFields>) -> Result<HttpResponse, Error> {
    if !ctx.accounts().factors.remove_totp(me.session.clone(), ctx.client()).await? {
        return Err(Error::NotFound);
    }
    Ok(ctx.redirect(PAGE, Flash::TotpRemoved))
}
