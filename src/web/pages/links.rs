//! Pages of mailed links that consist of one button: unlock, "this was not me", confirm an address, undo an address,
//! undo a factor. GET shows the button, to users and to mail scanners; only POST executes it.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::cleanup::OwnerReset;
use crate::notices::LinkPurpose;
use crate::web::copy::links::{LinkCopy, dead_link, link_copy};
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
    copy: LinkCopy,
}

impl LinkPage {
    /// `email`: the address that the link refers to; empty if the link is dead.
    fn new(ctx: &RequestContext, purpose: LinkPurpose, email: &str, form: Fields) -> Self {
        Self { page: ctx.page(), form, action: purpose.path(), copy: link_copy(purpose, email) }
    }
}

async fn show(ctx: &RequestContext, purpose: LinkPurpose) -> Result<HttpResponse, Error> {
    let token = match mailed_link::token(ctx) {
        Ok(token) => token,
        Err(moved) => return Ok(*moved),
    };
    let live = ctx.accounts().notices.live_link(purpose, &token).await?;
    let dead = dead_link(purpose);
    let (form, status) =
        (mailed_link::fields(token, live.is_some(), dead), mailed_link::status(live.is_some()));
    page::show(status, &LinkPage::new(ctx, purpose, &live.unwrap_or_default(), form))
}

fn dead(ctx: &RequestContext, purpose: LinkPurpose, mut form: Form<LinkForm>) -> Result<HttpResponse, Error> {
    form.fields.refuse("token", dead_link(purpose));
    page::refused(&LinkPage::new(ctx, purpose, "", form.fields))
}

pub async fn unlock_form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    show(&ctx, LinkPurpose::Unlock).await
}

pub async fn unlock(_: Visitor, ctx: RequestContext, form: Form<LinkForm>) -> Result<HttpResponse, Error> {
    match ctx.accounts().recovery.unlock(form.input.token.as_str(), ctx.client()).await? {
        Some(proof) => {
            known_device::keep(&ctx.request, &ctx.shared, &proof);
            Ok(mailed_link::used(&ctx, ctx.redirect("/login", Flash::Unlocked)))
        }
        None => dead(&ctx, LinkPurpose::Unlock, form),
    }
}

pub async fn not_me_form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    show(&ctx, LinkPurpose::NotMe).await
}

pub async fn not_me(_: Visitor, ctx: RequestContext, form: Form<LinkForm>) -> Result<HttpResponse, Error> {
    match ctx.accounts().recovery.report_session(form.input.token.as_str(), ctx.client()).await? {
        Some(disowned) => Ok(disowned_answer(&ctx, disowned, Flash::NotMe)),
        None => dead(&ctx, LinkPurpose::NotMe, form),
    }
}

pub async fn confirm_email_form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    show(&ctx, LinkPurpose::ConfirmEmail).await
}

pub async fn confirm_email(
    _: Visitor,
    ctx: RequestContext,
    form: Form<LinkForm>,
) -> Result<HttpResponse, Error> {
    match ctx.accounts().users.confirm_email_change(form.input.token.as_str(), ctx.client()).await? {
        // A logged-in user is redirected from there.
        Some(()) => Ok(mailed_link::used(&ctx, ctx.redirect("/login", Flash::EmailChanged))),
        None => dead(&ctx, LinkPurpose::ConfirmEmail, form),
    }
}

pub async fn undo_email_form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    show(&ctx, LinkPurpose::UndoEmail).await
}

pub async fn undo_email(
    _: Visitor,
    ctx: RequestContext,
    form: Form<LinkForm>,
) -> Result<HttpResponse, Error> {
    match ctx.accounts().users.undo_email_change(form.input.token.as_str(), ctx.client()).await? {
        Some(()) => Ok(mailed_link::used(&ctx, ctx.redirect("/login", Flash::EmailRestored))),
        None => dead(&ctx, LinkPurpose::UndoEmail, form),
    }
}

pub async fn undo_factor_form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    show(&ctx, LinkPurpose::UndoFactor).await
}

pub async fn undo_factor(
    _: Visitor,
    ctx: RequestContext,
    form: Form<LinkForm>,
) -> Result<HttpResponse, Error> {
    match ctx.accounts().recovery.undo_factor(form.input.token.as_str(), ctx.client()).await? {
        Some(disowned) => Ok(disowned_answer(&ctx, disowned, Flash::FactorUndone)),
        None => dead(&ctx, LinkPurpose::UndoFactor, form),
    }
}

/// `mailed`: the message if a reset link was mailed.
fn disowned_answer(ctx: &RequestContext, disowned: OwnerReset, mailed: Flash) -> HttpResponse {
    let flash = match disowned {
        OwnerReset::Mailed => mailed,
        OwnerReset::AddressChanged => Flash::NotMeElsewhere,
    };
    mailed_link::used(ctx, ctx.redirect("/login", flash))
}
