//! Confirm: all that logging in took once more, then on to where they were going.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest as _, HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use crate::factors::CodeRefusal;
use crate::login::ConfirmRefusal;
use crate::throttle::RetryAfter;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, Input, Posted, SecretText, Text};
use crate::web::http::{flash, return_to};
use crate::web::pages::context::Ctx;
use crate::web::pages::page::{self, Page};
use crate::web::session::current_session;
use crate::web::session::guard::SignedIn;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct ConfirmForm {
    password: SecretText,
    code: SecretText,
    next: Text,
}

impl Input for ConfirmForm {}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    page: Page,
    form: Fields,
    email: String,
    with_code: bool,
    /// Something was not carried out, so the user has to do it again after confirming.
    interrupted: bool,
    /// The form that was not carried out, where there is something in it to keep.
    carried: Option<Carried>,
}

/// A form on its way through this page.
pub struct Carried {
    /// Where it is sent to.
    pub action: String,
    /// The page it stands on.
    pub back: Option<String>,
    pub fields: Vec<(String, String)>,
}

/// What became of a form that was sent when a confirmation was needed.
pub enum Step {
    /// The page that confirms, with the form inside.
    Answer(HttpResponse),
    Confirmed,
    /// The session ended, or another request rotated its key.
    Lost,
}

impl ConfirmPage {
    async fn new(me: &SignedIn, ctx: &Ctx, form: Fields) -> Result<Self, Error> {
        let interrupted = flash::is_interrupted(&ctx.request, &ctx.shared);
        let email = ctx.accounts().users.email_of(me).await?.ok_or(Error::NotFound)?;
        let with_code = ctx.accounts().factors.confirmation_needs_code(me).await?;
        let page =
            if ctx.accounts().factors.has_passkey(me).await? { ctx.page_with_passkeys() } else { ctx.page() };
        Ok(Self { page, form, email, with_code, interrupted, carried: None })
    }

    fn carrying(self, carried: Carried) -> Self {
        Self { interrupted: true, carried: Some(carried), ..self }
    }
}

pub async fn form(me: SignedIn, ctx: Ctx) -> Result<HttpResponse, Error> {
    page::ok(&ConfirmPage::new(&me, &ctx, ctx.fields(&["next"])).await?)
}

pub async fn submit(me: SignedIn, ctx: Ctx, mut form: Form<ConfirmForm>) -> Result<HttpResponse, Error> {
    if form.only_toggles() {
        return page::ok(&ConfirmPage::new(&me, &ctx, form.fields).await?);
    }
    let ConfirmForm { password, code, next } = form.input;
    let asked = ctx.query("next");
    let next = return_to::safe(&next).or(return_to::safe(&asked)).unwrap_or("/home").to_owned();
    let (password, code) = (password.reveal(), code.reveal());
    match ctx.accounts().login.confirm(me.0.clone(), password, code, ctx.client()).await? {
        Ok(key) => {
            current_session::rotated(&ctx.request, &ctx.shared, &me, key);
            Ok(flash::see_other(&next))
        }
        // Another request of this browser may have won and brought the new key: `next` will show.
        Err(ConfirmRefusal::SessionLost) => Ok(flash::see_other(&next)),
        Err(refusal) => {
            let wait = explain(&mut form.fields, refusal);
            refused(wait, &ConfirmPage::new(&me, &ctx, form.fields).await?)
        }
    }
}

/// The same in place of a form that came too long after the last confirmation. `posted` is that form, or,
/// once the user has seen this page, this page with the form inside.
pub async fn step(request: &HttpRequest, posted: Posted, carried: Carried) -> Result<Step, Error> {
    let nothing = &mut Payload::None;
    let (me, ctx) =
        (SignedIn::from_request(request, nothing).await?, Ctx::from_request(request, nothing).await?);
    if posted.draft.is_none() {
        let page = ConfirmPage::new(&me, &ctx, Fields::default()).await?.carrying(carried);
        return Ok(Step::Answer(page::show(StatusCode::FORBIDDEN, &page)?));
    }
    let mut form = posted.read::<ConfirmForm>()?;
    if form.only_toggles() {
        let page = ConfirmPage::new(&me, &ctx, form.fields).await?.carrying(carried);
        return Ok(Step::Answer(page::ok(&page)?));
    }
    let (password, code) = (form.input.password.reveal(), form.input.code.reveal());
    match ctx.accounts().login.confirm(me.0.clone(), password, code, ctx.client()).await? {
        Ok(key) => {
            // What follows in this request is judged by the session as it is now.
            ctx.accounts().sessions().load_for_request(key.reveal()).await?;
            current_session::rotated(&ctx.request, &ctx.shared, &me, key);
            Ok(Step::Confirmed)
        }
        Err(ConfirmRefusal::SessionLost) => Ok(Step::Lost),
        Err(refusal) => {
            let wait = explain(&mut form.fields, refusal);
            let page = ConfirmPage::new(&me, &ctx, form.fields).await?.carrying(carried);
            Ok(Step::Answer(refused(wait, &page)?))
        }
    }
}

/// Puts the reason beside its field. Answers how long to wait, where that is the reason.
fn explain(fields: &mut Fields, refusal: ConfirmRefusal) -> Option<RetryAfter> {
    match refusal {
        ConfirmRefusal::Code(CodeRefusal::TooMany(wait)) | ConfirmRefusal::TooMany(wait) => {
            fields.refuse("", wait);
            return Some(wait);
        }
        ConfirmRefusal::WrongPassword => fields.refuse(
            "password",
            "That is not your password. Try again. If it is locked after too many tries, we have emailed you what to do.",
        ),
        ConfirmRefusal::Code(refusal) => fields.refuse("code", refusal),
        ConfirmRefusal::SessionLost => fields.refuse("", Flash::SessionLost.text()),
    }
    None
}

fn refused(wait: Option<RetryAfter>, page: &ConfirmPage) -> Result<HttpResponse, Error> {
    match wait {
        Some(wait) => page::too_many(wait, page),
        None => page::refused(page),
    }
}
