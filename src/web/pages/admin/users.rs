//! People: find them, see them, change what they may do.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use crate::accounts::{AdminRefusal, Role, UserId};
use crate::web::ctx::{Ctx, Id};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::form::{Form, Input};
use crate::web::guard::Admin;
use crate::web::page::{self, Page};
use crate::web::pages::Button;
use crate::web::view::{Event, PER_PAGE, Pager, SessionRow, UserRow};

#[derive(Template)]
#[template(path = "admin/users.html")]
struct UsersPage {
    page: Page,
    q: String,
    users: Vec<UserRow>,
    pager: Pager,
}

pub async fn index(me: Admin, ctx: Ctx) -> Result<HttpResponse, Error> {
    let (q, asked) = (ctx.query("q").trim().to_owned(), Pager::asked(ctx.query("page")));
    let (users, total) = ctx.accounts().users(&q, PER_PAGE, Pager::offset(asked)).await?;
    let page = ctx.page();
    page::ok(&UsersPage {
        pager: Pager::new(asked, total, &page, &q),
        page,
        users: users.iter().map(|user| UserRow::new(user, me.now)).collect(),
        q,
    })
}

#[derive(Template)]
#[template(path = "admin/user.html")]
struct UserPage {
    page: Page,
    user: UserRow,
    sessions: Vec<SessionRow>,
    events: Vec<Event>,
    last_admin: bool,
    is_self: bool,
    can_reset: bool,
}

pub async fn show(me: Admin, ctx: Ctx, id: Id<Uuid>) -> Result<HttpResponse, Error> {
    let found = ctx.accounts().user_page(UserId(id.0)).await?.ok_or(Error::NotFound)?;
    let now = me.now;
    page::ok(&UserPage {
        page: ctx.page(),
        user: UserRow::new(&found.user, now),
        sessions: found
            .sessions
            .iter()
            .map(|record| SessionRow::new(record, me.record.handle, now).of(Some(&found.user)))
            .collect(),
        events: found.events.iter().map(|event| Event::own(event, now)).collect(),
        last_admin: found.last_admin,
        is_self: me.owner.id.0 == id.0,
        can_reset: ctx.accounts().mailer().delivers() && !found.user.disabled,
    })
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct RoleForm {
    role: String,
}

impl Input for RoleForm {}

pub async fn set_role(
    me: Admin,
    ctx: Ctx,
    id: Id<Uuid>,
    form: Form<RoleForm>,
) -> Result<HttpResponse, Error> {
    let role = Role::parse(&form.input.role).ok_or(Error::UnknownField)?;
    let answer = ctx.accounts().set_role(Some(me.owner.id), UserId(id.0), role, ctx.client()).await?;
    conclude(&ctx, id.0, answer, Flash::RoleChanged)
}

pub async fn disable(me: Admin, ctx: Ctx, id: Id<Uuid>, _: Form<Button>) -> Result<HttpResponse, Error> {
    let answer = ctx.accounts().disable(Some(me.owner.id), UserId(id.0), ctx.client()).await?;
    conclude(&ctx, id.0, answer, Flash::Disabled)
}

pub async fn enable(me: Admin, ctx: Ctx, id: Id<Uuid>, _: Form<Button>) -> Result<HttpResponse, Error> {
    let answer = ctx.accounts().enable(Some(me.owner.id), UserId(id.0), ctx.client()).await?;
    conclude(&ctx, id.0, answer, Flash::Enabled)
}

pub async fn revoke_sessions(
    me: Admin,
    ctx: Ctx,
    id: Id<Uuid>,
    _: Form<Button>,
) -> Result<HttpResponse, Error> {
    let answer = ctx.accounts().revoke_sessions_of(Some(me.owner.id), UserId(id.0), ctx.client()).await?;
    conclude(&ctx, id.0, answer, Flash::AllEnded)
}

pub async fn send_reset(me: Admin, ctx: Ctx, id: Id<Uuid>, _: Form<Button>) -> Result<HttpResponse, Error> {
    let answer = ctx.accounts().send_reset(me.owner.id, UserId(id.0), ctx.client()).await?;
    conclude(&ctx, id.0, answer, Flash::ResetSent)
}

fn conclude(
    ctx: &Ctx,
    id: Uuid,
    answer: Result<(), AdminRefusal>,
    done: Flash,
) -> Result<HttpResponse, Error> {
    let flash = match answer {
        Ok(()) => done,
        Err(AdminRefusal::LastAdmin) => Flash::LastAdmin,
        Err(AdminRefusal::NoMail) => Flash::NoMail,
        Err(AdminRefusal::NoSuchUser | AdminRefusal::Taken) => return Err(Error::NotFound),
    };
    Ok(ctx.redirect(&format!("/admin/users/{id}"), flash))
}
