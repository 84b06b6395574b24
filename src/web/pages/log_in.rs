//! Log in with e-mail address and password.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::accounts::{Attempt, LogInRefusal, LoggedIn};
use crate::web::ctx::Ctx;
use crate::web::error::{Error, with_next};
use crate::web::flash::Flash;
use crate::web::form::{Fields, Form, Input};
use crate::web::guard::Visitor;
use crate::web::page::{self, Page};
use crate::web::{current_session, flash, next};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct LogInForm {
    email: String,
    password: String,
    remember: String,
    next: String,
}

impl Input for LogInForm {}

#[derive(Template)]
#[template(path = "login.html")]
struct LogInPage {
    page: Page,
    form: Fields,
    can_register: bool,
}

impl LogInPage {
    fn new(ctx: &Ctx, form: Fields) -> Self {
        Self { page: ctx.page_with_passkeys(), form, can_register: ctx.accounts().registration_is_open() }
    }
}

pub async fn form(visitor: Visitor, ctx: Ctx) -> Result<HttpResponse, Error> {
    if visitor.0.is_some() {
        return Ok(flash::see_other(next::safe(ctx.query("next")).unwrap_or("/home")));
    }
    page::ok(&LogInPage::new(&ctx, ctx.fields(&["next"])))
}

pub async fn submit(visitor: Visitor, ctx: Ctx, mut form: Form<LogInForm>) -> Result<HttpResponse, Error> {
    if form.only_toggles() {
        return page::ok(&LogInPage::new(&ctx, form.fields));
    }
    let LogInForm { email, password, remember, next } = form.input;
    // `next` may stand in the form or still in the address the form was sent to.
    let next = next::safe(&next).or(next::safe(ctx.query("next"))).unwrap_or("/home").to_owned();
    let attempt =
        Attempt { email, password, remember: matches!(remember.as_str(), "1" | "on" | "true" | "yes") };
    match ctx.accounts().authenticate(attempt, ctx.client()).await? {
        Ok(LoggedIn::Open(opened)) => {
            let restored = opened.restored;
            current_session::begin(&ctx.request, &ctx.shared, opened)?;
            Ok(if restored { ctx.redirect(&next, Flash::Restored) } else { flash::see_other(&next) })
        }
        Ok(LoggedIn::Pending(key)) => {
            // The browser is about to forget its key.
            if let Some(live) = visitor.0 {
                ctx.accounts().log_out(live, ctx.client()).await?;
            }
            let next = Some(next.as_str()).filter(|next| *next != "/home");
            let mut response = flash::see_other(&with_next("/login/second-factor", next));
            current_session::wait(&mut response, &ctx.shared, &key);
            Ok(response)
        }
        Err(LogInRefusal::NoMatch) => {
            form.fields.refuse(
                "",
                "Address and password do not match an account, its address is not confirmed yet, or its password is locked: then we wrote to you.",
            );
            page::refused(&LogInPage::new(&ctx, form.fields))
        }
        Err(LogInRefusal::TooMany(wait)) => {
            form.fields.refuse("", wait);
            page::too_many(wait, &LogInPage::new(&ctx, form.fields))
        }
    }
}
