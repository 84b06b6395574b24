//! Confirm: the user proves again who they are, then continues to the page they wanted.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest as _, HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use crate::config::in_words;
use crate::db::Refusable as _;
use crate::factors::{Assertion, CodeRefusal, PasskeyRefusal};
use crate::identity::UserSession as _;
use crate::login::ConfirmRefusal;
use crate::throttle::RetryAfter;
use crate::web::http::error::Error;
use crate::web::http::form::{Fields, Form, FormInput, PostedForm, SecretText, Text};
use crate::web::http::json::{Json, NoInput};
use crate::web::http::request_state::RequestState;
use crate::web::http::{flash, return_to};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::passkeys;
use crate::web::session::carried_form::{CarriedForm, ConfirmStep};
use crate::web::session::guard::SignedIn;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct ConfirmForm {
    password: SecretText,
    code: SecretText,
    next: Text,
}

impl FormInput for ConfirmForm {}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    page: Page,
    form: Fields,
    email: String,
    with_code: bool,
    /// How long the confirmation lasts, as in "10 minutes".
    window: String,
    /// The form was not executed, so the user has to send it again after confirming.
    interrupted: bool,
    /// The form that was not executed, if it contains typed values to keep.
    carried: Option<CarriedForm>,
}

impl ConfirmPage {
    async fn new(me: &SignedIn, ctx: &RequestContext, form: Fields) -> Result<Self, Error> {
        let interrupted = flash::is_interrupted(&ctx.request, &ctx.shared);
        let email = ctx.accounts().users.email_of(&me.session).await?.ok_or(Error::NotFound)?;
        let with_code = ctx.accounts().factors.confirmation_needs_code(&me.session).await?;
        let page = if ctx.accounts().factors.has_passkey(&me.session).await? {
            ctx.page_with_passkeys()
        } else {
            ctx.page()
        };
        let limits = &ctx.shared.limits;
        let window =
            if form.next().starts_with("/admin") { limits.admin_window } else { limits.confirm_window };
        Ok(Self { page, form, email, with_code, window: in_words(window), interrupted, carried: None })
    }

    fn carrying(self, carried: CarriedForm) -> Self {
        Self { interrupted: true, carried: Some(carried), ..self }
    }
}

pub async fn form(me: SignedIn, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&ConfirmPage::new(&me, &ctx, ctx.fields(&["next"])).await?)
}

pub async fn submit(
    me: SignedIn,
    ctx: RequestContext,
    mut form: Form<ConfirmForm>,
) -> Result<HttpResponse, Error> {
    if form.only_toggles() {
        return page::ok(&ConfirmPage::new(&me, &ctx, form.fields).await?);
    }
    let ConfirmForm { password, code, next } = form.input;
    let asked = ctx.query("next");
    let next = return_to::safe(next.as_str()).or(return_to::safe(&asked)).unwrap_or("/home").to_owned();
    let (password, code) = (password.into_secret(), code.into_secret());
    match ctx.accounts().login.confirm(me.session.clone(), password, code, ctx.client()).await.split()? {
        Ok(key) => {
            ctx.rotate_session(key);
            Ok(flash::see_other(&next))
        }
        // Another request of this browser may have rotated the key first and received the new one; the page at `next`
        // shows the result.
        Err(ConfirmRefusal::SessionLost) => Ok(flash::see_other(&next)),
        Err(refusal) => {
            let wait = explain(&mut form.fields, refusal);
            refused(wait, &ConfirmPage::new(&me, &ctx, form.fields).await?)
        }
    }
}

/// The confirmation page in place of a form that was sent after the confirmation had expired. `posted` is that form or,
/// once the user has seen this page, this page with the form inside.
pub async fn step(
    request: HttpRequest,
    posted: PostedForm,
    carried: CarriedForm,
) -> Result<ConfirmStep, Error> {
    let nothing = &mut Payload::None;
    let me = SignedIn::from_request(&request, nothing).await?;
    let ctx = RequestContext::from_request(&request, nothing).await?;
    if posted.carried_back_to.is_none() {
        let page = ConfirmPage::new(&me, &ctx, Fields::default()).await?.carrying(carried);
        return Ok(ConfirmStep::Answer(page::show(StatusCode::FORBIDDEN, &page)?));
    }
    let mut form = posted.read::<ConfirmForm>()?;
    if form.only_toggles() {
        let page = ConfirmPage::new(&me, &ctx, form.fields).await?.carrying(carried);
        return Ok(ConfirmStep::Answer(page::ok(&page)?));
    }
    let (password, code) = (form.input.password.into_secret(), form.input.code.into_secret());
    match ctx.accounts().login.confirm(me.session.clone(), password, code, ctx.client()).await.split()? {
        Ok(key) => {
            // The guard that runs later in this request reads the session again.
            let live = ctx.accounts().sessions().find(&key).await;
            // Whether or not that worked: the old key is dead, so the browser must get the new one.
            ctx.rotate_session(key);
            RequestState::of(&request).set_session(live?);
            Ok(ConfirmStep::Confirmed)
        }
        Err(ConfirmRefusal::SessionLost) => Ok(ConfirmStep::Lost),
        Err(refusal) => {
            let wait = explain(&mut form.fields, refusal);
            let page = ConfirmPage::new(&me, &ctx, form.fields).await?.carrying(carried);
            Ok(ConfirmStep::Answer(refused(wait, &page)?))
        }
    }
}

/// The options for the browser: a passkey of this user.
pub async fn start_passkey(
    me: SignedIn,
    ctx: RequestContext,
    _: Json<NoInput>,
) -> Result<HttpResponse, Error> {
    let (user, binding, client) = (me.session.user_id(), ctx.binding(), ctx.client());
    let asked =
        ctx.accounts().login.start_passkey_authentication(Some(user), binding, client).await.split()?;
    Ok(asked.map_or_else(|refusal| passkeys::refused(&refusal), |options| HttpResponse::Ok().json(options)))
}

pub async fn finish_passkey(
    me: SignedIn,
    ctx: RequestContext,
    answer: Json<Assertion>,
) -> Result<HttpResponse, Error> {
    let (live, binding, client) = (me.session.clone(), ctx.binding(), ctx.client());
    match ctx.accounts().login.confirm_with_passkey(live, binding, answer.0, client).await.split()? {
        Ok(key) => {
            ctx.rotate_session(key);
            Ok(passkeys::go_on(&ctx))
        }
        // Another request of this browser may have rotated the key first and received the new one; the page at `next`
        // shows the result.
        Err(PasskeyRefusal::SessionLost) => Ok(passkeys::go_on(&ctx)),
        Err(refusal) => Ok(passkeys::refused(&refusal)),
    }
}

/// Puts the error beside its field. Returns the waiting time if that is the error.
fn explain(fields: &mut Fields, refusal: ConfirmRefusal) -> Option<RetryAfter> {
    let (field, wait) = match &refusal {
        ConfirmRefusal::Code(CodeRefusal::TooMany(wait)) | ConfirmRefusal::TooMany(wait) => ("", Some(*wait)),
        ConfirmRefusal::WrongPassword => ("password", None),
        ConfirmRefusal::Code(_) => ("code", None),
        ConfirmRefusal::SessionLost => ("", None),
    };
    fields.refuse(field, refusal);
    wait
}

fn refused(wait: Option<RetryAfter>, page: &ConfirmPage) -> Result<HttpResponse, Error> {
    match wait {
        Some(wait) => page::too_many(wait, page),
        None => page::refused(page),
    }
}
