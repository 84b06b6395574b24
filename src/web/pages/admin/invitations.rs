//! Invite people, and list and withdraw invitations.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::db::Refusable as _;
use crate::identity::UserSession as _;
use crate::registration::{InvitationRow, InviteRefusal};
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::flash::Flash;
use crate::web::http::form::{Fields, Form, FormInput, Text};
use crate::web::http::path::{ById, Path};
use crate::web::pages::NoFields;
use crate::web::pages::context::RequestContext;
use crate::web::pages::page::{self, Page};
use crate::web::pages::view::{PER_PAGE, Pager, When};
use crate::web::session::guard::Admin;

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct InviteForm {
    email: Text,
}

impl FormInput for InviteForm {}

#[derive(Template)]
#[template(path = "admin/invitations.html")]
struct InvitationsPage {
    page: Page,
    form: Fields,
    invitations: Vec<Invitation>,
    pager: Pager,
}

struct Invitation {
    id: String,
    email: String,
    state: &'static str,
    invited_by: String,
    sent: When,
    expires: When,
}

impl Invitation {
    fn new(row: &InvitationRow, now: OffsetDateTime) -> Self {
        let state = match (row.accepted_at, row.withdrawn_at) {
            (Some(_), _) => "accepted",
            (None, Some(_)) => "withdrawn",
            (None, None) if row.expires_at <= now => "expired",
            (None, None) if !row.inviter_administers => "ended",
            (None, None) => "waiting",
        };
        Self {
            id: row.id.to_string(),
            email: row.email.clone(),
            state,
            invited_by: row.invited_by.clone(),
            sent: When::new(row.created_at, now),
            expires: When::new(row.expires_at, now),
        }
    }
}

impl InvitationsPage {
    async fn new(me: &Admin, ctx: &RequestContext, form: Fields) -> Result<Self, Error> {
        let asked = Pager::asked(&ctx.query("page"));
        let (rows, total) = ctx.accounts().registration.invitations(PER_PAGE, Pager::offset(asked)).await?;
        let page = ctx.page().at("/admin/invitations");
        Ok(Self {
            pager: Pager::new(asked, total, &page, ""),
            page,
            form,
            invitations: rows.iter().map(|row| Invitation::new(row, me.session.now())).collect(),
        })
    }
}

pub async fn index(me: Admin, ctx: RequestContext) -> Result<HttpResponse, Error> {
    page::ok(&InvitationsPage::new(&me, &ctx, Fields::default()).await?)
}

/// With the address that was typed before the confirmation expired.
pub async fn again(me: Admin, ctx: RequestContext, draft: Draft) -> Result<HttpResponse, Error> {
    page::ok(&InvitationsPage::new(&me, &ctx, draft.0).await?)
}

pub async fn invite(
    me: Admin,
    ctx: RequestContext,
    mut form: Form<InviteForm>,
) -> Result<HttpResponse, Error> {
    match ctx
        .accounts()
        .registration
        .invite(me.session.user_id(), form.input.email.as_str(), ctx.client())
        .await
        .split()?
    {
        Ok(_) => return Ok(ctx.redirect("/admin/invitations", Flash::Invited)),
        Err(refusal @ (InviteRefusal::Email(_) | InviteRefusal::Registered | InviteRefusal::TooMany(_))) => {
            form.fields.refuse("email", refusal)
        }
        Err(refusal @ InviteRefusal::NoMail) => form.fields.refuse("", refusal),
    }
    page::refused(&InvitationsPage::new(&me, &ctx, form.fields).await?)
}

pub async fn withdraw(
    me: Admin,
    ctx: RequestContext,
    Path(ById { id }): Path<ById>,
    _: Form<NoFields>,
) -> Result<HttpResponse, Error> {
    if !ctx.accounts().registration.withdraw_invitation(me.session.user_id(), id, ctx.client()).await? {
        return Err(Error::NotFound);
    }
    Ok(ctx.redirect("/admin/invitations", Flash::Withdrawn))
}
