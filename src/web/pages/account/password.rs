//! Change your password.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::accounts::ChangeRefusal;
use crate::web::ctx::Ctx;
use crate::web::current_session;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::form::{Fields, Form, Input};
use crate::web::guard::Confirmed;
use crate::web::page::{self, Page};
use crate::web::view::Strength;

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordForm {
    current_password: String,
    password: String,
}

impl Input for PasswordForm {}

#[derive(Template)]
#[template(path = "account/password.html")]
struct PasswordPage {
    page: Page,
    form: Fields,
    password_min: usize,
    strength: Option<Strength>,
}

impl PasswordPage {
    fn new(ctx: &Ctx, form: Fields, strength: Option<Strength>) -> Self {
        Self { page: ctx.page(), form, password_min: ctx.accounts().password_min(), strength }
    }
}

pub async fn form(_: Confirmed, ctx: Ctx) -> Result<HttpResponse, Error> {
    page::ok(&PasswordPage::new(&ctx, Fields::default(), None))
}

pub async fn submit(me: Confirmed, ctx: Ctx, mut form: Form<PasswordForm>) -> Result<HttpResponse, Error> {
    if form.only_toggles() {
        return page::ok(&PasswordPage::new(&ctx, form.fields, None));
    }
    let PasswordForm { current_password, password } = form.input;
    let refusal = match ctx
        .accounts()
        .change_password(me.0.clone(), current_password, password.clone(), ctx.client())
        .await?
    {
        Ok(key) => {
            current_session::rotated(&ctx.request, &ctx.shared, &me, key);
            return Ok(ctx.redirect("/account/password", Flash::PasswordChanged));
        }
        Err(ChangeRefusal::SessionLost) => return Ok(ctx.redirect("/account/password", Flash::SessionLost)),
        Err(refusal) => refusal,
    };
    let mut strength = None;
    match refusal {
        ChangeRefusal::WrongPassword => {
            form.fields.refuse("current_password", "That is not your current password. Try again.")
        }
        ChangeRefusal::Same => {
            form.fields.refuse("password", "This is your password already. Choose another.")
        }
        ChangeRefusal::Weak(why) => {
            form.fields.refuse("password", why);
            strength = Some(ctx.accounts().strength(&password, &me.owner.name, &me.owner.email).await?);
        }
        ChangeRefusal::TooMany(wait) => {
            form.fields.refuse("", wait);
            return page::too_many(wait, &PasswordPage::new(&ctx, form.fields, None));
        }
        ChangeRefusal::SessionLost => {}
    }
    page::refused(&PasswordPage::new(&ctx, form.fields, strength))
}
