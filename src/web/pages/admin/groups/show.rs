//! Shows a group, changes its note and deletes it.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;
use time::OffsetDateTime;

use super::{GroupView, named};
use crate::db::Refusable as _;
use crate::groups::{GroupRefusal, MemberRow};
use crate::identity::{GroupName, UserSession as _};
use crate::web::copy::phrase::Phrase;
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, Text};
use crate::web::http::path::{ByName, Path};
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, FlashMessage, Page};
use crate::web::pages::view::When;
use crate::web::session::guard::Admin;

#[derive(Template)]
#[template(path = "admin/groups/name.html")]
pub(super) struct GroupPage {
    page: Page,
    group: GroupView,
    members: Vec<MemberView>,
    join: Fields,
    note: Fields,
}

struct MemberView {
    id: String,
    name: String,
    email: String,
    since: When,
    /// Empty if the operator added the member, or if the account of the administrator was deleted.
    added_by: String,
}

impl MemberView {
    fn new(row: MemberRow, now: OffsetDateTime) -> Self {
        Self {
            id: row.user.to_string(),
            name: row.name,
            email: row.email,
            since: When::new(row.since, now),
            added_by: row.added_by.unwrap_or_default(),
        }
    }
}

impl GroupPage {
    pub async fn new(me: &Admin, ctx: &RequestContext, name: &GroupName) -> Result<Self, Error> {
        let found = ctx.accounts().groups.find(name).await?.ok_or(Error::NotFound)?;
        let group = GroupView::from(found.row);
        Ok(Self {
            page: ctx.page().at(&format!("/admin/groups/{name}")),
            members: found
                .members
                .into_iter()
                .map(|member| MemberView::new(member, me.session.now()))
                .collect(),
            join: Fields::default(),
            note: Fields::new(vec![("note".to_owned(), group.note.clone())]),
            group,
        })
    }

    /// With the form of a new member as it was typed.
    pub fn with_join(self, join: Fields) -> Self {
        Self { join, ..self }
    }

    /// 422 with a message that belongs to no field.
    pub fn refused_because(mut self, why: Phrase) -> Result<HttpResponse, Error> {
        self.page.flash = Some(FlashMessage { code: why.code, kind: "bad", text: why.text });
        page::refused(&self)
    }
}

pub async fn show(
    me: Admin,
    ctx: RequestContext,
    Path(ByName { name }): Path<ByName>,
) -> Result<HttpResponse, Error> {
    page::ok(&GroupPage::new(&me, &ctx, &named(&name)?).await?)
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct NoteForm {
    note: Text,
}

impl FormInput for NoteForm {}

pub async fn set_note(
    me: Admin,
    ctx: RequestContext,
    Path(ByName { name }): Path<ByName>,
    mut form: Form<NoteForm>,
) -> Result<HttpResponse, Error> {
    let name = named(&name)?;
    let (actor, note) = (Some(me.session.user_id()), form.input.note.as_str());
    match ctx.accounts().groups.set_note(actor, &name, note, ctx.client()).await.split()? {
        Ok(()) => Ok(ctx.redirect(&format!("/admin/groups/{name}"), Flash::GroupChanged)),
        Err(GroupRefusal::NoSuchGroup) => Err(Error::NotFound),
        Err(refusal) => {
            form.fields.refuse("note", &refusal);
            page::refused(&GroupPage { note: form.fields, ..GroupPage::new(&me, &ctx, &name).await? })
        }
    }
}

/// With the note that was typed before the confirmation expired.
pub async fn note_again(
    me: Admin,
    ctx: RequestContext,
    Path(ByName { name }): Path<ByName>,
    draft: Draft,
) -> Result<HttpResponse, Error> {
    page::ok(&GroupPage { note: draft.0, ..GroupPage::new(&me, &ctx, &named(&name)?).await? })
}

pub async fn remove(
    me: Admin,
    ctx: RequestContext,
    Path(ByName { name }): Path<ByName>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    let name = named(&name)?;
    match ctx.accounts().groups.remove(Some(me.session.user_id()), &name, ctx.client()).await.split()? {
        Ok(()) => Ok(ctx.redirect("/admin/groups", Flash::GroupDeleted)),
        Err(GroupRefusal::NoSuchGroup) => Err(Error::NotFound),
        Err(refusal) => GroupPage::new(&me, &ctx, &name).await?.refused_because((&refusal).into()),
    }
}
