//! Change the user's own password.

use actix_web::HttpResponse;
use askama::Template;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use crate::db::Refusable as _;
use crate::users::ChangePasswordRefusal;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, SecretText};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::Strength;
use crate::web::session::guard::Confirmed;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct PasswordForm {
    current_password: SecretText,
    password: SecretText,
}

impl FormInput for PasswordForm {}

#[derive(Template)]
#[template(path = "account/password.html")]
struct PasswordPage {
    page: Page,
    form: Fields,
    password_min: usize,
    strength: Option<Strength>,
    email: String,
}

impl PasswordPage {
    async fn new(me: &Confirmed, ctx: &RequestContext, form: Fields) -> Result<Self, Error> {
        Ok(Self {
            page: ctx.page(),
            form,
            password_min: ctx.accounts().passwords.min_code_points(),
            strength: None,
            email: ctx.accounts().users.email_of(&me.session).await?.ok_or(Error::NotFound)?,
        })
    }
}

pub async fn form(me: Confirmed, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&PasswordPage::new(&me, &ctx, Fields::default()).await?)
}

pub async fn submit(
    me: Confirmed,
    ctx: RequestContext,
    form: Form<PasswordForm>,
) -> Result<HttpResponse, Error> {
    let toggled = form.only_toggles();
    let mut shown = PasswordPage::new(&me, &ctx, form.fields).await?;
    if toggled {
        return page::ok(&shown);
    }
    let (current_password, password) =
        (form.input.current_password.into_secret(), form.input.password.into_secret());
    let changed = ctx
        .accounts()
        .users
        .change_password(me.session.clone(), current_password, password.clone(), ctx.client())
        .await
        .split()?;
    match changed {
        Ok(key) => {
            ctx.rotate_session(key);
            return Ok(ctx.redirect("/account/password", Flash::PasswordChanged));
        }
        Err(ChangePasswordRefusal::SessionLost) => {
            return Ok(ctx.redirect("/account/password", Flash::SessionLost));
        }
        Err(ChangePasswordRefusal::TooMany(wait)) => {
            shown.form.refuse("", wait);
            return page::too_many(wait, &shown);
        }
        Err(refusal @ ChangePasswordRefusal::WrongPassword) => shown.form.refuse("current_password", refusal),
        Err(refusal @ ChangePasswordRefusal::Same) => shown.form.refuse("password", refusal),
        Err(ChangePasswordRefusal::Weak(why)) => {
            shown.form.refuse("password", why);
            let name = me.session.owner.name();
            shown.strength =
                Some(ctx.accounts().passwords.strength(password.expose_secret(), name, &shown.email).await?);
        }
    }
    page::refused(&shown)
}
