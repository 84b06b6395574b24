//! Change your e-mail address: a link to the new one does it.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::accounts::{Email, EmailRefusal};
use crate::web::ctx::Ctx;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::form::{Fields, Form, Input, Text};
use crate::web::guard::Confirmed;
use crate::web::page::{self, Page};
use crate::web::receive::Draft;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct EmailForm {
    email: Text,
}

impl Input for EmailForm {}

#[derive(Template)]
#[template(path = "account/email.html")]
struct EmailPage {
    page: Page,
    form: Fields,
    /// The address now.
    email: String,
}

impl EmailPage {
    async fn new(me: &Confirmed, ctx: &Ctx, form: Fields) -> Result<Self, Error> {
        let email = ctx.accounts().email_of(me).await?.unwrap_or_default();
        Ok(Self { page: ctx.page(), form, email })
    }
}

pub async fn form(me: Confirmed, ctx: Ctx) -> Result<HttpResponse, Error> {
    page::ok(&EmailPage::new(&me, &ctx, Fields::default()).await?)
}

/// With what was typed before the confirmation ran out.
pub async fn again(me: Confirmed, ctx: Ctx, draft: Draft) -> Result<HttpResponse, Error> {
    page::ok(&EmailPage::new(&me, &ctx, draft.0).await?)
}

pub async fn submit(me: Confirmed, ctx: Ctx, mut form: Form<EmailForm>) -> Result<HttpResponse, Error> {
    let email = match Email::parse(&form.input.email) {
        Ok(email) => email,
        Err(why) => {
            form.fields.refuse("email", why);
            return page::refused(&EmailPage::new(&me, &ctx, form.fields).await?);
        }
    };
    match ctx.accounts().ask_for_email(me.0.clone(), email, ctx.client()).await? {
        Ok(()) => return Ok(ctx.redirect("/account/email", Flash::EmailAsked)),
        Err(EmailRefusal::Same) => {
            form.fields.refuse("email", "This is your address already. Enter another.")
        }
        Err(EmailRefusal::NoMail) => {
            form.fields.refuse("", "Mail is switched off here, so no link can be sent.")
        }
        Err(EmailRefusal::TooMany(wait)) => {
            form.fields.refuse("", wait);
            return page::too_many(wait, &EmailPage::new(&me, &ctx, form.fields).await?);
        }
    }
    page::refused(&EmailPage::new(&me, &ctx, form.fields).await?)
}
