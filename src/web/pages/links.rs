//! Pages of mailed links that are only a button: unlock, "this was not me", the new address, the old one back,
//! a factor taken back. GET shows
//! it, for people and for mail scanners alike; only POST does it.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::cleanup::Disowned;
use crate::notices::Purpose;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, Text};
use crate::web::pages::context::RequestContext;
use crate::web::pages::mailed_link;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Visitor;
use crate::web::session::known_device;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct LinkForm {
    token: Text,
}

impl FormInput for LinkForm {}

#[derive(Template)]
#[template(path = "mailed_link.html")]
struct LinkPage {
    page: Page,
    form: Fields,
    action: &'static str,
    heading: &'static str,
    text: String,
    button: &'static str,
    otherwise: &'static str,
}

const DEAD: &str = "This link is used up, replaced by a newer one, or too old.";

const DEAD_REQUEST: &str = "This link is used up, replaced by a newer one, cancelled, or too old, or the session that asked for it was ended. Log in and request the change again.";

fn dead_text(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::ConfirmEmail => DEAD_REQUEST,
        Purpose::Unlock | Purpose::NotMe | Purpose::UndoEmail | Purpose::UndoFactor => DEAD,
    }
}

impl LinkPage {
    /// `email`: what the link is about; nothing where it is dead.
    fn new(ctx: &RequestContext, purpose: Purpose, email: &str, form: Fields) -> Self {
        let (heading, text, button, otherwise) = match purpose {
            Purpose::Unlock => (
                "Unlock your password",
                "Wrong passwords are forgotten, and you can log in with yours again, in this browser at once.".to_owned(),
                "Unlock my password",
                "You do not know the password any more?",
            ),
            Purpose::NotMe => (
                "This was not you?",
                "Everyone is logged out, and your password no longer works. A requested change of your address is cancelled. Passkeys, authenticator apps and recovery codes that were added since are removed. We mail you a link to set a new password.".to_owned(),
                "Log everyone out",
                "It was you after all? Close this page. Nothing happens.",
            ),
            Purpose::ConfirmEmail => (
                "Use this address",
                format!("From now on you log in with {email}, and letters go there. The old address is told."),
                "Use this address",
                "You did not ask for it? Close this page. Nothing changes.",
            ),
            Purpose::UndoEmail => (
                "Take your address back",
                format!("{email} counts again. Everyone is logged out, and the password no longer works. Passkeys, authenticator apps and recovery codes that were added since the change was requested are removed. We mail a link to set a new password to {email}."),
                "Take it back",
                "The change was yours? Close this page. Nothing happens.",
            ),
            Purpose::UndoFactor => (
                "Take it back",
                "Every change since that letter to how you log in is taken back: passkeys, authenticator app and recovery codes that were added are removed, and a passkey is required after your password if it was before. Every session ends, your password stops working, and you get a link to set a new one.".to_owned(),
                "Take it back",
                "Was it you? Close this page, and nothing changes.",
            ),
        };
        Self { page: ctx.page(), form, action: purpose.path(), heading, text, button, otherwise }
    }
}

async fn show(ctx: &RequestContext, purpose: Purpose) -> Result<HttpResponse, Error> {
    let token = match mailed_link::token(ctx) {
        Ok(token) => token,
        Err(moved) => return Ok(*moved),
    };
    let live = ctx.accounts().notices.live_link(purpose, &token).await?;
    let dead = dead_text(purpose);
    let (form, status) =
        (mailed_link::fields(token, live.is_some(), dead), mailed_link::status(live.is_some()));
    page::show(status, &LinkPage::new(ctx, purpose, &live.unwrap_or_default(), form))
}

fn dead(ctx: &RequestContext, purpose: Purpose, mut form: Form<LinkForm>) -> Result<HttpResponse, Error> {
    form.fields.refuse("token", dead_text(purpose));
    page::refused(&LinkPage::new(ctx, purpose, "", form.fields))
}

pub async fn unlock_form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    show(&ctx, Purpose::Unlock).await
}

pub async fn unlock(_: Visitor, ctx: RequestContext, form: Form<LinkForm>) -> Result<HttpResponse, Error> {
    match ctx.accounts().login.unlock(form.input.token.as_str(), ctx.client()).await? {
        Some(proof) => {
            known_device::keep(&ctx.request, &ctx.shared, &proof);
            Ok(mailed_link::used(&ctx, ctx.redirect("/login", Flash::Unlocked)))
        }
        None => dead(&ctx, Purpose::Unlock, form),
    }
}

pub async fn not_me_form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    show(&ctx, Purpose::NotMe).await
}

pub async fn not_me(_: Visitor, ctx: RequestContext, form: Form<LinkForm>) -> Result<HttpResponse, Error> {
    match ctx.accounts().login.not_me(form.input.token.as_str(), ctx.client()).await? {
        Some(disowned) => Ok(disowned_answer(&ctx, disowned, Flash::NotMe)),
        None => dead(&ctx, Purpose::NotMe, form),
    }
}

pub async fn confirm_email_form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    show(&ctx, Purpose::ConfirmEmail).await
}

pub async fn confirm_email(
    _: Visitor,
    ctx: RequestContext,
    form: Form<LinkForm>,
) -> Result<HttpResponse, Error> {
    match ctx.accounts().users.confirm_email(form.input.token.as_str(), ctx.client()).await? {
        // Whoever is logged in goes on to their pages from there.
        Some(()) => Ok(mailed_link::used(&ctx, ctx.redirect("/login", Flash::EmailChanged))),
        None => dead(&ctx, Purpose::ConfirmEmail, form),
    }
}

pub async fn undo_email_form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    show(&ctx, Purpose::UndoEmail).await
}

pub async fn undo_email(
    _: Visitor,
    ctx: RequestContext,
    form: Form<LinkForm>,
) -> Result<HttpResponse, Error> {
    match ctx.accounts().users.restore_email(form.input.token.as_str(), ctx.client()).await? {
        Some(()) => Ok(mailed_link::used(&ctx, ctx.redirect("/login", Flash::EmailRestored))),
        None => dead(&ctx, Purpose::UndoEmail, form),
    }
}

pub async fn undo_factor_form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    show(&ctx, Purpose::UndoFactor).await
}

pub async fn undo_factor(
    _: Visitor,
    ctx: RequestContext,
    form: Form<LinkForm>,
) -> Result<HttpResponse, Error> {
    match ctx.accounts().login.undo_factor(form.input.token.as_str(), ctx.client()).await? {
        Some(disowned) => Ok(disowned_answer(&ctx, disowned, Flash::FactorUndone)),
        None => dead(&ctx, Purpose::UndoFactor, form),
    }
}

/// `mailed`: what to say where a reset link is on its way.
fn disowned_answer(ctx: &RequestContext, disowned: Disowned, mailed: Flash) -> HttpResponse {
    let flash = match disowned {
        Disowned::ResetMailed => mailed,
        Disowned::AddressChanged => Flash::NotMeElsewhere,
    };
    mailed_link::used(ctx, ctx.redirect("/login", flash))
}
