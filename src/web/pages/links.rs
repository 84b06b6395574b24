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

/// The purpose of the page that was requested: its row has the purpose's path.
fn purpose_of(ctx: &RequestContext) -> Result<LinkPurpose, Error> {
    LinkPurpose::at(ctx.request.path()).ok_or(Error::NotFound)
}

pub async fn form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let purpose = purpose_of(&ctx)?;
    let token = match mailed_link::token(&ctx) {
        Ok(token) => token,
        Err(moved) => return Ok(*moved),
    };
    let live = ctx.accounts().notices.live_link(purpose, &token).await?;
    let dead = dead_link(purpose);
    let (form, status) =
        (mailed_link::fields(token, live.is_some(), dead), mailed_link::status(live.is_some()));
    page::show(status, &LinkPage::new(&ctx, purpose, &live.unwrap_or_default(), form))
}

pub async fn submit(
    _: Visitor,
    ctx: RequestContext,
    mut form: Form<LinkForm>,
) -> Result<HttpResponse, Error> {
    let purpose = purpose_of(&ctx)?;
    match execute(&ctx, purpose, form.input.token.as_str()).await? {
        // A logged-in user is redirected from there.
        Some(done) => Ok(mailed_link::used(&ctx, ctx.redirect("/login", done))),
        None => {
            form.fields.refuse("token", dead_link(purpose));
            page::refused(&LinkPage::new(&ctx, purpose, "", form.fields))
        }
    }
}

/// The message about what was done; `None` if the link is dead.
async fn execute(ctx: &RequestContext, purpose: LinkPurpose, token: &str) -> Result<Option<Flash>, Error> {
    let (accounts, client) = (ctx.accounts(), ctx.client());
    Ok(match purpose {
        LinkPurpose::Unlock => accounts.recovery.unlock(token, client).await?.map(|proof| {
            known_device::keep(&ctx.request, &ctx.shared, &proof);
            Flash::Unlocked
        }),
        LinkPurpose::NotMe => {
            accounts.recovery.report_session(token, client).await?.map(|reset| secured(reset, Flash::NotMe))
        }
        LinkPurpose::ConfirmEmail => {
            accounts.users.confirm_email_change(token, client).await?.map(|()| Flash::EmailChanged)
        }
        LinkPurpose::UndoEmail => {
            accounts.users.undo_email_change(token, client).await?.map(|()| Flash::EmailRestored)
        }
        LinkPurpose::UndoFactor => accounts
            .recovery
            .undo_factor(token, client)
            .await?
            .map(|reset| secured(reset, Flash::FactorUndone)),
    })
}

/// `mailed`: the message if a reset link was mailed.
fn secured(reset: OwnerReset, mailed: Flash) -> Flash {
    match reset {
        OwnerReset::Mailed => mailed,
        OwnerReset::AddressChanged => Flash::NotMeElsewhere,
    }
}
