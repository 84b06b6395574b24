//! Confirm: the password once more, then on to where they were going.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use askama::Template;
use serde::Deserialize;

use super::wait_sentence;
use crate::accounts::ConfirmRefusal;
use crate::web::ctx::Ctx;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::form::{Fields, Form, Input};
use crate::web::guard::SignedIn;
use crate::web::page::{self, Page};
use crate::web::{current_session, flash, next};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct ConfirmForm {
    password: String,
    next: String,
}

impl Input for ConfirmForm {}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    page: Page,
    form: Fields,
}

pub async fn form(_: SignedIn, ctx: Ctx) -> Result<HttpResponse, Error> {
    page::ok(&ConfirmPage { page: ctx.page(), form: ctx.fields(&["next"]) })
}

pub async fn submit(me: SignedIn, ctx: Ctx, mut form: Form<ConfirmForm>) -> Result<HttpResponse, Error> {
    if form.only_toggles() {
        return page::ok(&ConfirmPage { page: ctx.page(), form: form.fields });
    }
    let ConfirmForm { password, next } = form.input;
    let next = next::safe(&next).or(next::safe(ctx.query("next"))).unwrap_or("/home").to_owned();
    match ctx.accounts().confirm(me.0.clone(), password, ctx.client()).await? {
        Ok(key) => {
            current_session::rotated(&ctx.request, &ctx.shared, &me, key);
            Ok(flash::see_other(&next))
        }
        // Another request of this browser may have won: it then holds the new key, and `next` will show.
        Err(ConfirmRefusal::SessionLost) => Ok(ctx.redirect(&next, Flash::SessionLost)),
        Err(ConfirmRefusal::WrongPassword) => {
            form.fields.refuse("password", "That is not your password. Try again.");
            page::refused(&ConfirmPage { page: ctx.page(), form: form.fields })
        }
        Err(ConfirmRefusal::TooMany(wait)) => {
            form.fields.refuse("", wait_sentence(wait.0));
            let mut response = page::show(
                StatusCode::TOO_MANY_REQUESTS,
                &ConfirmPage { page: ctx.page(), form: form.fields },
            )?;
            response.headers_mut().insert(header::RETRY_AFTER, wait.0.into());
            Ok(response)
        }
    }
}
