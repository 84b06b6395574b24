//! Confirm: all that logging in took once more, then on to where they were going.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::accounts::{CodeRefusal, ConfirmRefusal};
use crate::web::ctx::Ctx;
use crate::web::error::Error;
use crate::web::form::{Fields, Form, Input};
use crate::web::guard::SignedIn;
use crate::web::page::{self, Page};
use crate::web::{current_session, flash, next};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct ConfirmForm {
    password: String,
    code: String,
    next: String,
}

impl Input for ConfirmForm {}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    page: Page,
    form: Fields,
    email: String,
    with_code: bool,
}

impl ConfirmPage {
    async fn new(me: &SignedIn, ctx: &Ctx, form: Fields) -> Result<Self, Error> {
        let email = ctx.accounts().email_of(me).await?.ok_or(Error::NotFound)?;
        let with_code = ctx.accounts().confirms_with_code(me).await?;
        let page = if ctx.accounts().has_passkey(me).await? { ctx.page_with_passkeys() } else { ctx.page() };
        Ok(Self { page, form, email, with_code })
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
    let next = next::safe(&next).or(next::safe(ctx.query("next"))).unwrap_or("/home").to_owned();
    match ctx.accounts().confirm(me.0.clone(), password, code, ctx.client()).await? {
        Ok(key) => {
            current_session::rotated(&ctx.request, &ctx.shared, &me, key);
            Ok(flash::see_other(&next))
        }
        // Another request of this browser may have won and brought the new key: `next` will show.
        Err(ConfirmRefusal::SessionLost) => Ok(flash::see_other(&next)),
        Err(ConfirmRefusal::WrongPassword) => {
            form.fields.refuse("password", "That is not your password. Try again. After too many tries it is locked: then we wrote to you.");
            page::refused(&ConfirmPage::new(&me, &ctx, form.fields).await?)
        }
        Err(ConfirmRefusal::Code(CodeRefusal::TooMany(wait)) | ConfirmRefusal::TooMany(wait)) => {
            form.fields.refuse("", wait);
            page::too_many(wait, &ConfirmPage::new(&me, &ctx, form.fields).await?)
        }
        Err(ConfirmRefusal::Code(refusal)) => {
            form.fields.refuse("code", refusal);
            page::refused(&ConfirmPage::new(&me, &ctx, form.fields).await?)
        }
    }
}
