//! Download the data that is stored about the user, and delete the account.

use actix_web::HttpResponse;
use actix_web::http::header;
use askama::Template;
use serde::Deserialize;

use crate::db::{Fault, Refusable as _};
use crate::users::DeleteAccountRefusal;
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, Text};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Confirmed;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct DeleteForm {
    email: Text,
}

impl FormInput for DeleteForm {}

#[derive(Template)]
#[template(path = "account/delete.html")]
struct DeletePage {
    page: Page,
    form: Fields,
    email: String,
    grace: String,
}

impl DeletePage {
    async fn new(me: &Confirmed, ctx: &RequestContext, form: Fields) -> Result<Self, Error> {
        Ok(Self {
            page: ctx.page(),
            form,
            email: ctx.accounts().users.email_of(&me.session).await?.ok_or(Error::NotFound)?,
            grace: ctx.accounts().users.deletion_grace(),
        })
    }
}

pub async fn export(me: Confirmed, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let all = ctx.accounts().users.export(&me.session, ctx.client()).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"latchkey-export.json\""))
        .body(serde_json::to_string_pretty(&all).map_err(Fault::bug)?))
}

pub async fn form(me: Confirmed, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&DeletePage::new(&me, &ctx, Fields::default()).await?)
}

/// With the values that were typed before the confirmation expired.
pub async fn again(me: Confirmed, ctx: RequestContext, draft: Draft) -> Result<HttpResponse, Error> {
    page::ok(&DeletePage::new(&me, &ctx, draft.0).await?)
}

pub async fn submit(
    me: Confirmed,
    ctx: RequestContext,
    mut form: Form<DeleteForm>,
) -> Result<HttpResponse, Error> {
    match ctx
        .accounts()
        .users
        .delete_account(me.session.clone(), form.input.email.0, ctx.client())
        .await
        .split()?
    {
        Ok(()) => {
            let mut response = ctx.redirect("/login", Flash::Leaving);
            ctx.end_session(&mut response);
            return Ok(response);
        }
        Err(refusal @ DeleteAccountRefusal::AddressMismatch) => form.fields.refuse("email", refusal),
        Err(refusal @ DeleteAccountRefusal::LastAdmin) => form.fields.refuse("", refusal),
    }
    page::refused(&DeletePage::new(&me, &ctx, form.fields).await?)
}
