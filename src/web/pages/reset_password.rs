//! Request a reset link, and set a new password with it.

use actix_web::HttpResponse;
use askama::Template;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use crate::db::Refusable as _;
use crate::identity::Email;
use crate::recovery::ResetRefusal;
use crate::web::copy::links::DEAD_RESET;
use crate::web::copy::refusals::NO_RESET_MAIL;
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::{self, Flash};
use crate::web::http::form::{Fields, Form, FormInput, SecretText, Text};
use crate::web::pages::context::RequestContext;
use crate::web::pages::mailed_link;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::Strength;
use crate::web::session::guard::Visitor;
use crate::web::session::known_device;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct AskForm {
    email: Text,
}

impl FormInput for AskForm {}

#[derive(Template)]
#[template(path = "forgot_password.html")]
struct ForgotPasswordPage {
    page: Page,
    form: Fields,
}

pub async fn ask(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&ForgotPasswordPage { page: ctx.page(), form: Fields::default() })
}

/// With the values that were typed on an out-of-date page.
pub async fn ask_again(_: Visitor, ctx: RequestContext, draft: Draft) -> Result<HttpResponse, Error> {
    page::ok(&ForgotPasswordPage { page: ctx.page(), form: draft.0 })
}

pub async fn send(_: Visitor, ctx: RequestContext, mut form: Form<AskForm>) -> Result<HttpResponse, Error> {
    let email = match Email::parse(form.input.email.as_str()) {
        Ok(email) => email,
        Err(why) => {
            form.fields.refuse("email", why);
            return page::refused(&ForgotPasswordPage { page: ctx.page(), form: form.fields });
        }
    };
    if !ctx.accounts().mailer().delivers() {
        form.fields.refuse("", NO_RESET_MAIL);
        return page::refused(&ForgotPasswordPage { page: ctx.page(), form: form.fields });
    }
    match ctx.accounts().recovery.request_reset(&email, ctx.client()).await.split()? {
        Ok(()) => Ok(flash::see_other("/forgot-password/sent")),
        Err(wait) => {
            form.fields.refuse("", wait);
            page::too_many(wait, &ForgotPasswordPage { page: ctx.page(), form: form.fields })
        }
    }
}

#[derive(Template)]
#[template(path = "forgot_password/sent.html")]
struct ForgotPasswordSentPage {
    page: Page,
}

pub async fn sent(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&ForgotPasswordSentPage { page: ctx.page() })
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct ResetForm {
    token: Text,
    password: SecretText,
}

impl FormInput for ResetForm {}

#[derive(Template)]
#[template(path = "reset_password.html")]
struct ResetPasswordPage {
    page: Page,
    form: Fields,
    /// The account that the new password is for, for password managers; empty if the link is dead.
    email: String,
    password_min: usize,
    strength: Option<Strength>,
}

impl ResetPasswordPage {
    /// The form with the typed values, or with the error of a dead link.
    async fn new(ctx: &RequestContext, mut form: Fields) -> Result<Self, Error> {
        let email = ctx.accounts().recovery.reset_link_address(form.value("token")).await?;
        if email.is_none() && form.error("token").is_none() {
            form.refuse("token", DEAD_RESET);
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

pub async fn form(_: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let token = match mailed_link::token(&ctx) {
        Ok(token) => token,
        Err(moved) => return Ok(*moved),
    };
    let missing = token.is_empty();
    let mut shown = ResetPasswordPage::new(&ctx, Fields::new(vec![("token".into(), token)])).await?;
    if missing {
        shown.form = mailed_link::fields(String::new(), false, DEAD_RESET);
    }
    page::show(mailed_link::status(!shown.is_dead()), &shown)
}

pub async fn submit(
    _: Visitor,
    ctx: RequestContext,
    mut form: Form<ResetForm>,
) -> Result<HttpResponse, Error> {
    if form.only_toggles() {
        let shown = ResetPasswordPage::new(&ctx, form.fields).await?;
        return if shown.is_dead() { page::refused(&shown) } else { page::ok(&shown) };
    }
    let ResetForm { token, password } = form.input;
    let password = password.into_secret();
    let refusal = match ctx
        .accounts()
        .recovery
        .reset_password(token.as_str(), password.expose_secret(), ctx.client())
        .await
        .split()?
    {
        Ok(proof) => {
            known_device::keep(&ctx.request, &ctx.shared, &proof);
            return Ok(mailed_link::used(&ctx, ctx.redirect("/login", Flash::PasswordReset)));
        }
        Err(refusal) => refusal,
    };
    let is_weak = matches!(refusal, ResetRefusal::Weak(_));
    form.fields.refuse(if is_weak { "password" } else { "token" }, refusal);
    let mut shown = ResetPasswordPage::new(&ctx, form.fields).await?;
    if is_weak {
        shown.strength =
            Some(ctx.accounts().passwords.strength(password.expose_secret(), "", &shown.email).await?);
    }
    page::refused(&shown)
}
