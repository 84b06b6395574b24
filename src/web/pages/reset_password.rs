//! A forgotten password.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::identity::Email;
use crate::users::ResetRefusal;
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
    match ctx.accounts().users.request_reset(&email, ctx.client()).await? {
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
    /// Whose password is set, for password managers; empty if the link is dead.
    email: String,
    password_min: usize,
    strength: Option<Strength>,
}

impl ResetPasswordPage {
    /// The form with what was typed, or the error of a dead link.
    async fn new(ctx: &Ctx, mut form: Fields) -> Result<Self, Error> {
        let email = ctx.accounts().users.reset_link_address(form.value("token")).await?;
        if email.is_none() && form.error("token").is_none() {
            form.refuse("token", DEAD);
        }
        Ok(Self {
            page: ctx.page(),
            form,
            email: email.unwrap_or_default(),
            password_min: ctx.accounts().passwords.min_code_points(),
            strength: None,
        })
    }

    fn is_dead(&self) -> bool {
        self.form.error("token").is_some()
    }
}

const DEAD: &str = "This link is used up or too old. Ask for a new one.";

pub async fn form(_: Visitor, ctx: Ctx) -> Result<HttpResponse, Error> {
    let token = match link::token(&ctx) {
        Ok(token) => token,
        Err(moved) => return Ok(*moved),
    };
    let missing = token.is_empty();
    let mut shown = ResetPasswordPage::new(&ctx, Fields::new(vec![("token".into(), token)])).await?;
    if missing {
        shown.form = link::fields(String::new(), false, DEAD);
    }
    page::show(link::status(!shown.is_dead()), &shown)
}

pub async fn submit(_: Visitor, ctx: Ctx, mut form: Form<ResetForm>) -> Result<HttpResponse, Error> {
    if form.only_toggles() {
        let shown = ResetPasswordPage::new(&ctx, form.fields).await?;
        return if shown.is_dead() { page::refused(&shown) } else { page::ok(&shown) };
    }
    let ResetForm { token, password } = form.input;
    let password = password.reveal();
    let is_weak = match ctx.accounts().users.reset_password(&token, &password, ctx.client()).await? {
        Ok(proof) => {
            browser::keep(&ctx.request, &ctx.shared, &proof);
            return Ok(link::used(ctx.redirect("/login", Flash::PasswordReset), &ctx.shared));
        }
        Err(ResetRefusal::DeadLink) => {
            form.fields.refuse("token", DEAD);
            false
        }
        Err(ResetRefusal::Weak(why)) => {
            form.fields.refuse("password", why);
            true
        }
    };
    let mut shown = ResetPasswordPage::new(&ctx, form.fields).await?;
    if is_weak {
        shown.strength = Some(ctx.accounts().passwords.strength(&password, "", &shown.email).await?);
    }
    page::refused(&shown)
}
