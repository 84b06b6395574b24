//! Lists all groups and creates one.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use super::GroupView;
use crate::db::Refusable as _;
use crate::groups::GroupRefusal;
use crate::identity::{GroupName, UserSession as _};
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, Text};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::session::guard::Admin;

#[derive(Template)]
#[template(path = "admin/groups.html")]
struct GroupsPage {
    page: Page,
    form: Fields,
    groups: Vec<GroupView>,
}

impl GroupsPage {
    async fn new(ctx: &RequestContext, form: Fields) -> Result<Self, Error> {
        let groups = ctx.accounts().groups.list().await?;
        Ok(Self {
            page: ctx.page().at("/admin/groups"),
            form,
            groups: groups.into_iter().map(GroupView::from).collect(),
        })
    }
}

pub async fn index(_: Admin, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&GroupsPage::new(&ctx, Fields::default()).await?)
}

/// With the values that were typed before the confirmation expired.
pub async fn again(_: Admin, ctx: RequestContext, draft: Draft) -> Result<HttpResponse, Error> {
    page::ok(&GroupsPage::new(&ctx, draft.0).await?)
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct NewGroupForm {
    name: Text,
    note: Text,
}

impl FormInput for NewGroupForm {}

pub async fn create(
    me: Admin,
    ctx: RequestContext,
    mut form: Form<NewGroupForm>,
) -> Result<HttpResponse, Error> {
    match GroupName::parse(form.input.name.as_str().trim()) {
        Ok(name) => {
            let (actor, note) = (Some(me.session.user_id()), form.input.note.as_str());
            match ctx.accounts().groups.add(actor, name.clone(), note, ctx.client()).await.split()? {
                Ok(()) => return Ok(ctx.redirect(&format!("/admin/groups/{name}"), Flash::GroupCreated)),
                Err(refusal @ GroupRefusal::NoteTooLong { .. }) => form.fields.refuse("note", &refusal),
                Err(refusal) => form.fields.refuse("name", &refusal),
            }
        }
        Err(why) => form.fields.refuse("name", why),
    }
    page::refused(&GroupsPage::new(&ctx, form.fields).await?)
}
