//! Find users, show them, and change their roles and states.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use crate::db::Refusable as _;
use crate::identity::{Role, UserId, UserSession as _};
use crate::users::AdminRefusal;
use crate::web::copy::notices::second_step;
use crate::web::copy::phrase::Phrase;
use crate::web::copy::refusals::UNKNOWN_ROLE;
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Form, FormInput, Text};
use crate::web::http::path::{ById, Path};
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, FlashMessage, Page};
use crate::web::pages::view::{EventView, PER_PAGE, Pager, SessionView, TokenView, UserView};
use crate::web::session::guard::Admin;

#[derive(Template)]
#[template(path = "admin/users.html")]
struct UsersPage {
    page: Page,
    q: String,
    users: Vec<UserView>,
    pager: Pager,
}

pub async fn index(me: Admin, ctx: RequestContext) -> Result<HttpResponse, Error> {
    let (q, asked) = (ctx.search()?, Pager::asked(&ctx.query("page")));
    let (users, total) = ctx.accounts().admin.users(&q, PER_PAGE, Pager::offset(asked)).await?;
    let page = ctx.page();
    page::ok(&UsersPage {
        pager: Pager::new(asked, total, &page, &q),
        page,
        users: users.iter().map(|user| UserView::new(user, me.session.now())).collect(),
        q,
    })
}

#[derive(Template)]
#[template(path = "admin/users/id.html")]
struct UserPage {
    page: Page,
    user: UserView,
    sessions: Vec<SessionView>,
    tokens: Vec<TokenView>,
    events: Vec<EventView>,
    last_admin: bool,
    is_self: bool,
    can_reset: bool,
    locked: bool,
    factors: Phrase,
    groups: Vec<String>,
    /// The groups that the user is not in.
    other_groups: Vec<String>,
    /// The value of the role field.
    role: &'static str,
}

impl UserPage {
    async fn new(me: &Admin, ctx: &RequestContext, id: Uuid) -> Result<Self, Error> {
        let found = ctx.accounts().admin.user_details(UserId(id)).await?.ok_or(Error::NotFound)?;
        let (here, now, policy) =
            (me.session.record.handle, me.session.now(), ctx.accounts().sessions().policy());
        let sessions = found.sessions.iter();
        let tokens = ctx.accounts().tokens.of_user(UserId(id)).await?;
        let (groups, all_groups) =
            (ctx.accounts().groups.of_user(UserId(id)).await?, ctx.accounts().groups.list().await?);
        Ok(Self {
            page: ctx.page().at(&format!("/admin/users/{id}")),
            user: UserView::new(&found.user, now),
            role: found.user.role.as_str(),
            sessions: sessions
                .map(|record| SessionView::new(record, here, now, policy).of(Some(&found.user)))
                .collect(),
            tokens: tokens.iter().map(|token| TokenView::new(token, now)).collect(),
            events: found
                .events
                .iter()
                .map(|event| EventView::for_administrators(event, now).on_their_page())
                .collect(),
            last_admin: found.last_admin,
            factors: second_step(&found.factors),
            other_groups: all_groups
                .into_iter()
                .filter(|group| !groups.contains(&group.name))
                .map(|group| group.name.to_string())
                .collect(),
            groups: groups.iter().map(ToString::to_string).collect(),
            is_self: me.session.user_id().0 == id,
            locked: found.locked,
            can_reset: ctx.accounts().mailer().delivers() && !found.user.disabled,
        })
    }
}

pub async fn show(
    me: Admin,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
) -> Result<HttpResponse, Error> {
    page::ok(&UserPage::new(&me, &ctx, id).await?)
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct RoleForm {
    role: Text,
}

impl FormInput for RoleForm {}

pub async fn set_role(
    me: Admin,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    form: Form<RoleForm>,
) -> Result<HttpResponse, Error> {
    let Some(role) = Role::parse(form.input.role.as_str()) else {
        return refuse(&me, &ctx, id, UNKNOWN_ROLE).await;
    };
    let answer = ctx
        .accounts()
        .admin
        .set_role(Some(me.session.user_id()), UserId(id), role, ctx.client())
        .await
        .split()?;
    conclude(&me, &ctx, id, answer, Flash::RoleChanged).await
}

/// With the role that was chosen before the confirmation expired.
pub async fn set_role_again(
    me: Admin,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    draft: Draft,
) -> Result<HttpResponse, Error> {
    let mut page = UserPage::new(&me, &ctx, id).await?;
    if let Some(role) = Role::parse(draft.0.value("role")) {
        page.role = role.as_str();
    }
    page::ok(&page)
}

pub async fn disable(
    me: Admin,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    let answer =
        ctx.accounts().admin.disable(Some(me.session.user_id()), UserId(id), ctx.client()).await.split()?;
    conclude(&me, &ctx, id, answer, Flash::Disabled).await
}

pub async fn enable(
    me: Admin,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    let answer =
        ctx.accounts().admin.enable(Some(me.session.user_id()), UserId(id), ctx.client()).await.split()?;
    conclude(&me, &ctx, id, answer, Flash::Enabled).await
}

pub async fn revoke_sessions(
    me: Admin,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    let answer = ctx
        .accounts()
        .admin
        .revoke_sessions_of(Some(me.session.user_id()), UserId(id), ctx.client())
        .await
        .split()?;
    conclude(&me, &ctx, id, answer, Flash::AllEnded).await
}

pub async fn send_reset(
    me: Admin,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    let answer =
        ctx.accounts().admin.send_reset_link(me.session.user_id(), UserId(id), ctx.client()).await.split()?;
    conclude(&me, &ctx, id, answer, Flash::ResetSent).await
}

async fn conclude(
    me: &Admin,
    ctx: &RequestContext,
    id: Uuid,
    answer: Result<(), AdminRefusal>,
    done: Flash,
) -> Result<HttpResponse, Error> {
    match answer {
        Ok(()) => Ok(ctx.redirect(&format!("/admin/users/{id}"), done)),
        Err(refusal @ (AdminRefusal::LastAdmin | AdminRefusal::NoMail | AdminRefusal::Changed)) => {
            refuse(me, ctx, id, refusal.into()).await
        }
        Err(AdminRefusal::NoSuchUser | AdminRefusal::AddressTaken) => Err(Error::NotFound),
    }
}

async fn refuse(me: &Admin, ctx: &RequestContext, id: Uuid, why: Phrase) -> Result<HttpResponse, Error> {
    let mut page = UserPage::new(me, ctx, id).await?;
    page.page.flash = Some(FlashMessage { code: why.code, kind: "bad", text: why.text });
    page::refused(&page)
}
