//! Adds members to a group and removes them, on the page of the group or on that of a user.

use actix_web::HttpResponse;
use serde::Deserialize;
use uuid::Uuid;

use super::named;
use super::show::GroupPage;
use crate::db::Refusable as _;
use crate::groups::GroupRefusal;
use crate::identity::{Email, GroupName, UserId, UserSession as _};
use crate::web::copy::app_refusals::unknown_user;
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Form, FormInput, Preset, Text};
use crate::web::http::path::{ById, ByName, Path};
use crate::web::pages::context::RequestContext;
use crate::web::pages::page;
use crate::web::session::guard::Admin;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct JoinForm {
    email: Text,
}

impl FormInput for JoinForm {}

pub async fn join(
    me: Admin,
    ctx: RequestContext,
    Path(ByName { name }): Path<ByName>,
    mut form: Form<JoinForm>,
) -> Result<HttpResponse, Error> {
    let (name, typed) = (named(&name)?, form.input.email.as_str().trim());
    let user = match Email::parse(typed) {
        Ok(email) => ctx.accounts().admin.user_id(&email).await?,
        Err(_) => None,
    };
    match user {
        Some(user) => {
            let done = add(&me, &ctx, &name, user).await?;
            return Ok(ctx.redirect(&format!("/admin/groups/{name}"), done));
        }
        None => form.fields.refuse("email", unknown_user(typed)),
    }
    page::refused(&GroupPage::new(&me, &ctx, &name).await?.with_join(form.fields))
}

/// With the address that was typed before the confirmation expired.
pub async fn join_again(
    me: Admin,
    ctx: RequestContext,
    Path(ByName { name }): Path<ByName>,
    draft: Draft,
) -> Result<HttpResponse, Error> {
    page::ok(&GroupPage::new(&me, &ctx, &named(&name)?).await?.with_join(draft.0))
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct GroupChoice {
    group: Preset,
}

impl FormInput for GroupChoice {}

/// From the page of a user.
pub async fn join_user(
    me: Admin,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    form: Form<GroupChoice>,
) -> Result<HttpResponse, Error> {
    let done = add(&me, &ctx, &named(form.input.group.as_str())?, UserId(id)).await?;
    Ok(ctx.redirect(&format!("/admin/users/{id}"), done))
}

async fn add(me: &Admin, ctx: &RequestContext, name: &GroupName, user: UserId) -> Result<Flash, Error> {
    match ctx.accounts().groups.join(Some(me.session.user_id()), name, user, ctx.client()).await.split()? {
        Ok(true) => Ok(Flash::MemberAdded),
        Ok(false) => Ok(Flash::MemberAlready),
        Err(_) => Err(Error::NotFound),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct LeaveForm {
    user: Preset,
    /// `user` if the form is on the page of the user.
    from: Preset,
}

impl FormInput for LeaveForm {}

/// Redirects to the page that has the button.
pub async fn leave(
    me: Admin,
    ctx: RequestContext,
    Path(ByName { name }): Path<ByName>,
    form: Form<LeaveForm>,
) -> Result<HttpResponse, Error> {
    let name = named(&name)?;
    let user = form.input.user.as_str().parse::<Uuid>().map_err(|_| Error::NotFound)?;
    let back = match form.input.from.as_str() {
        "user" => format!("/admin/users/{user}"),
        _ => format!("/admin/groups/{name}"),
    };
    let actor = Some(me.session.user_id());
    match ctx.accounts().groups.leave(actor, &name, UserId(user), ctx.client()).await.split()? {
        Ok(_) => Ok(ctx.redirect(&back, Flash::MemberRemoved)),
        Err(GroupRefusal::NoSuchGroup | GroupRefusal::NoSuchUser) => Err(Error::NotFound),
        Err(refusal) => GroupPage::new(&me, &ctx, &name).await?.refused_because((&refusal).into()),
    }
}
