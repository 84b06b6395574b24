//! Take what is kept about you along, and delete your account.

use actix_web::HttpResponse;
use actix_web::http::header;
use askama::Template;
use serde::Deserialize;

use crate::db::Fault;
use crate::users::DeleteAccountRefusal;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, Input, Text};
use crate::web::pages::context::Ctx;
use crate::web::pages::page::{self, Page};
use crate::web::session::current_session;
use crate::web::session::guard::Confirmed;
use crate::web::session::receive::Draft;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct DeleteForm {
    email: Text,
}

impl Input for DeleteForm {}

#[derive(Template)]
#[template(path = "account/delete.html")]
struct DeletePage {
    page: Page,
    form: Fields,
    email: String,
    grace: String,
}

impl DeletePage {
    async fn new(me: &Confirmed, ctx: &Ctx, form: Fields) -> Result<Self, Error> {
        Ok(Self {
            page: ctx.page(),
            form,
            email: ctx.accounts().users.email_of(me).await?.ok_or(Error::NotFound)?,
            grace: ctx.accounts().users.deletion_grace(),
        })
    }
}

pub async fn export(me: Confirmed, ctx: Ctx) -> Result<HttpResponse, Error> {
    let all = ctx.accounts().users.export(&me, ctx.client()).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"latchkey-export.json\""))
        .body(serde_json::to_string_pretty(&all).map_err(Fault::bug)?))
}

pub async fn form(me: Confirmed, ctx: Ctx) -> Result<HttpResponse, Error> {
    page::ok(&DeletePage::new(&me, &ctx, Fields::default()).await?)
}

/// With what was typed before the confirmation ran out.
pub async fn again(me: Confirmed, ctx: Ctx, draft: Draft) -> Result<HttpResponse, Error> {
    page::ok(&DeletePage::new(&me, &ctx, draft.0).await?)
}

pub async fn submit(me: Confirmed, ctx: Ctx, mut form: Form<DeleteForm>) -> Result<HttpResponse, Error> {
    match ctx.accounts().users.delete_account(me.0.clone(), form.input.email.0, ctx.client()).await? {
        Ok(()) => {
            let mut response = ctx.redirect("/login", Flash::Leaving);
            current_session::end(&mut response, &ctx.shared);
            return Ok(response);
        }
        Err(DeleteAccountRefusal::AddressMismatch) => form
            .fields
            .refuse("email", "This is not the address of your account. Type it as it stands above."),
        Err(DeleteAccountRefusal::LastAdmin) => form.fields.refuse(
            "",
            "You are the last administrator. Make somebody else one first, then delete your account.",
        ),
    }
    page::refused(&DeletePage::new(&me, &ctx, form.fields).await?)
}
