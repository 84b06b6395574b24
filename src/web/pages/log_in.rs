//! Log in with email and password.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::db::Refusable as _;
use crate::login::{Authenticated, LoginAttempt, LoginRefusal};
use crate::web::copy::notices::ended_session;
use crate::web::copy::phrase::Phrase;
use crate::web::http::draft::Draft;
use crate::web::http::error::{Error, with_next};
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, SecretText, Text};
use crate::web::http::{flash, return_to};
use crate::web::pages::context::{RequestContext, wants_remember};
use crate::web::pages::page::{self, Page};
use crate::web::session::current_session;
use crate::web::session::guard::Visitor;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct LogInForm {
    email: Text,
    password: SecretText,
    remember: Text,
    next: Text,
}

impl FormInput for LogInForm {
    const GOES_ON_IF_LOGGED_IN: bool = true;
}

#[derive(Template)]
#[template(path = "login.html")]
struct LogInPage {
    page: Page,
    form: Fields,
    can_register: bool,
    /// How the session of this browser ended, if it had one.
    ended: Option<Phrase>,
}

impl LogInPage {
    fn new(ctx: &RequestContext, form: Fields) -> Self {
        Self {
            page: ctx.page_with_passkeys(),
            form,
            can_register: ctx.accounts().registration.is_open(),
            ended: None,
        }
    }
}

pub async fn form(visitor: Visitor, ctx: RequestContext) -> Result<HttpResponse, Error> {
    if visitor.session.is_some() {
        return Ok(flash::see_other(return_to::safe(&ctx.query("next")).unwrap_or("/home")));
    }
    let ended = current_session::how_it_ended(&ctx.request, &ctx.shared).await?.map(ended_session);
    page::ok(&LogInPage { ended, ..LogInPage::new(&ctx, ctx.fields(&["next"])) })
}

/// With the values that were typed on an out-of-date page.
pub async fn again(_: Visitor, ctx: RequestContext, draft: Draft) -> Result<HttpResponse, Error> {
    page::ok(&LogInPage::new(&ctx, draft.0))
}

pub async fn submit(
    visitor: Visitor,
    ctx: RequestContext,
    mut form: Form<LogInForm>,
) -> Result<HttpResponse, Error> {
    if form.only_toggles() {
        return page::ok(&LogInPage::new(&ctx, form.fields));
    }
    let LogInForm { email, password, remember, next } = form.input;
    // `next` may be in the form, or in the query of the address that the form was sent to.
    let asked = ctx.query("next");
    let next = return_to::safe(next.as_str()).or(return_to::safe(&asked)).unwrap_or("/home").to_owned();
    let remember = wants_remember(remember.as_str());
    let attempt = LoginAttempt {
        email: email.0,
        password: password.into_secret(),
        remember,
        replaces: visitor.session,
    };
    match ctx.accounts().login.authenticate(attempt, ctx.client()).await.split()? {
        Ok(Authenticated::Session(opened)) => {
            let restored = opened.deletion_cancelled;
            ctx.begin_session(opened)?;
            Ok(if restored { ctx.redirect(&next, Flash::Restored) } else { flash::see_other(&next) })
        }
        Ok(Authenticated::PendingLogin(key)) => {
            let next = Some(next.as_str()).filter(|next| *next != "/home");
            let response = flash::see_other(&with_next("/login/second-factor", next));
            ctx.begin_pending_log_in(&key);
            Ok(response)
        }
        Err(refusal @ LoginRefusal::NoMatch) => {
            form.fields.refuse("", refusal);
            page::refused(&LogInPage::new(&ctx, form.fields))
        }
        Err(LoginRefusal::TooMany(wait)) => {
            form.fields.refuse("", wait);
            page::too_many(wait, &LogInPage::new(&ctx, form.fields))
        }
    }
}
