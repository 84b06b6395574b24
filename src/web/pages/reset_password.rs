//! A forgotten password.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::accounts::{Email, ResetRefusal};
use crate::web::ctx::Ctx;
use crate::web::error::Error;
use crate::web::flash::{self, Flash};
use crate::web::form::{Fields, Form, Input, SecretText, Text};
use crate::web::guard::Visitor;
use crate::web::page::{self, Page};
use crate::web::receive::Draft;
use crate::web::view::Strength;
use crate::web::{browser, link};

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct AskForm {
    email: Text,
}

impl Input for AskForm {}

#[derive(Template)]
#[template(path = "forgot_password.html")]
struct ForgotPasswordPage {
    page: Page,
    form: Fields,
}

pub async fn ask(_: Visitor, ctx: Ctx) -> Result<HttpResponse, Error> {
    page::ok(&ForgotPasswordPage { page: ctx.page(), form: Fields::default() })
}

/// With what was typed on a page that was out of date.
pub async fn ask_again(_: Visitor, ctx: Ctx, draft: Draft) -> Result<HttpResponse, Error> {
    page::ok(&ForgotPasswordPage { page: ctx.page(), form: draft.0 })
}

pub async fn send(_: Visitor, ctx: Ctx, mut form: Form<AskForm>) -> Result<HttpResponse, Error> {
    let email = match Email::parse(&form.input.email) {
        Ok(email) => email,
        Err(why) => {
            form.fields.refuse("email", why);
            return page::refused(&ForgotPasswordPage { page: ctx.page(), form: form.fields });
        }
    };
    if !ctx.accounts().mailer().delivers() {
        form.fields
            .refuse("", "Mail is switched off here, so no link can be sent. An administrator can help you.");
        return page::refused(&ForgotPasswordPage { page: ctx.page(), form: form.fields });
    }
    match ctx.accounts().request_reset(&email, ctx.client()).await? {
        Ok(()) => Ok(flash::see_other("/forgot-password/sent")),
        Err(wait) => {
            form.fields.refuse("", wait);
            page::too_many(wait, &ForgotPasswordPage { page: ctx.page(), form: form.fields })
        }
    }
}

#[derive(Template)]
#[template(path = "forgot_password_sent.html")]
struct ForgotPasswordSentPage {
    page: Page,
}

pub async fn sent(_: Visitor, ctx: Ctx) -> Result<HttpResponse, Error> {
    page::ok(&ForgotPasswordSentPage { page: ctx.page() })
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct ResetForm {
    token: Text,
    password: SecretText,
}

impl Input for ResetForm {}

#[derive(Template)]
#[template(path = "reset_password.html")]
struct ResetPasswordPage {
    page: Page,
    form: Fields,
    password_min: usize,
    strength: Option<Strength>,
}

const DEAD: &str = "This link is used up or too old. Ask for a new one.";

pub async fn form(_: Visitor, ctx: Ctx) -> Result<HttpResponse, Error> {
    let token = match link::token(&ctx) {
        Ok(token) => token,
        Err(moved) => return Ok(*moved),
    };
    let live = ctx.accounts().reset_link_is_live(&token).await?;
    page::show(
        link::status(live),
        &ResetPasswordPage {
            page: ctx.page(),
            form: link::fields(token, live, DEAD),
            password_min: ctx.accounts().password_min(),
            strength: None,
        },
    )
}

pub async fn submit(_: Visitor, ctx: Ctx, mut form: Form<ResetForm>) -> Result<HttpResponse, Error> {
    let password_min = ctx.accounts().password_min();
    if form.only_toggles() {
        return page::ok(&ResetPasswordPage {
            page: ctx.page(),
            form: form.fields,
            password_min,
            strength: None,
        });
    }
    let ResetForm { token, password } = form.input;
    let password = password.reveal();
    let strength = match ctx.accounts().reset_password(&token, &password, ctx.client()).await? {
        Ok(proof) => {
            browser::keep(&ctx.request, &ctx.shared, &proof);
            return Ok(link::used(ctx.redirect("/login", Flash::PasswordReset), &ctx.shared));
        }
        Err(ResetRefusal::DeadLink) => {
            form.fields.refuse("token", DEAD);
            None
        }
        Err(ResetRefusal::Weak(why)) => {
            form.fields.refuse("password", why);
            Some(ctx.accounts().strength(&password, "", "").await?)
        }
    };
    page::refused(&ResetPasswordPage { page: ctx.page(), form: form.fields, password_min, strength })
}
