//! Invitations to register.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answers::ItemAnswer;
use super::api_time::ApiTime;
use super::context::ApiContext;
use super::methods::{Creatable, Deletable, Listable, Retrievable};
use super::precondition::Precondition;
use super::problems::{changed_since, conflict};
use super::query::NoParams;
use super::resource::Resource;
use super::scoped::{Invitations, Scoped};
use crate::accounts::Accounts;
use crate::db::time::Moment;
use crate::registration::InvitationRow;
use crate::web::copy::api::INVITATION_ENDED;
use crate::web::http::error::Error;
use crate::web::http::path::ById;

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvitationOut {
    pub id: Uuid,
    pub email: String,
    pub state: InvitationState,
    /// The name of the administrator who sent it.
    pub invited_by: String,
    pub created_at: ApiTime,
    pub expires_at: ApiTime,
}

/// The state of an invitation. Only a waiting one can be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InvitationState {
    Waiting,
    Accepted,
    Withdrawn,
    Expired,
    /// Its sender is no longer an administrator.
    Ended,
}

/// An invitation, and when it was read.
pub struct ReadInvitation {
    row: InvitationRow,
    now: Moment,
}

impl From<&ReadInvitation> for InvitationOut {
    fn from(ReadInvitation { row, now }: &ReadInvitation) -> Self {
        let state = match (row.accepted_at, row.withdrawn_at) {
            (Some(_), _) => InvitationState::Accepted,
            (None, Some(_)) => InvitationState::Withdrawn,
            (None, None) if Moment::from(row.expires_at) <= *now => InvitationState::Expired,
            (None, None) if !row.inviter_administers => InvitationState::Ended,
            (None, None) => InvitationState::Waiting,
        };
        Self {
            id: row.id,
            email: row.email.clone(),
            state,
            invited_by: row.invited_by.clone(),
            created_at: row.created_at.into(),
            expires_at: row.expires_at.into(),
        }
    }
}

/// A new invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationIn {
    /// The email address to send it to.
    email: String,
}

pub struct InvitationResource;

impl Resource for InvitationResource {
    type Model = ReadInvitation;
    type Out = InvitationOut;
    type Read = Invitations;
}

impl Listable for InvitationResource {
    type Filters = NoParams;
    type Key = (i64, Uuid);

    async fn page(
        accounts: &Accounts,
        _: &NoParams,
        after: Option<(i64, Uuid)>,
        limit: i64,
    ) -> Result<Vec<ReadInvitation>, Error> {
        let after = after.map(|(at, id)| (Moment(at), id));
        let (rows, now) = accounts.registration.invitations_after(after, limit).await?;
        Ok(rows.into_iter().map(|row| ReadInvitation { row, now }).collect())
    }

    fn key(_: &NoParams, ReadInvitation { row, .. }: &ReadInvitation) -> (i64, Uuid) {
        (Moment::from(row.created_at).0, row.id)
    }
}

impl Retrievable for InvitationResource {
    type Path = ById;

    async fn find(accounts: &Accounts, path: &ById) -> Result<Option<ReadInvitation>, Error> {
        let found = accounts.registration.invitation(path.id).await?;
        Ok(found.map(|(row, now)| ReadInvitation { row, now }))
    }
}

impl Creatable for InvitationResource {
    type In = InvitationIn;
    type Write = Invitations;

    async fn add(
        me: &Scoped<Invitations>,
        ctx: &ApiContext,
        input: InvitationIn,
    ) -> Result<ItemAnswer<Self>, Error> {
        let id = ctx.accounts().registration.invite(me.user(), &input.email, ctx.client()).await?;
        let added = Self::find(ctx.accounts(), &ById { id }).await?.ok_or(Error::NotFound)?;
        Ok(ItemAnswer::of(&added).added_at(format!("{}/{id}", ctx.path())))
    }
}

impl Deletable for InvitationResource {
    type Write = Invitations;

    /// Withdraws it; the row stays in the list.
    async fn remove(
        me: &Scoped<Invitations>,
        ctx: &ApiContext,
        path: ById,
        when: Precondition,
    ) -> Result<(), Error> {
        let found = Self::find(ctx.accounts(), &path).await?.ok_or(Error::NotFound)?;
        // Only the state of an invitation changes, and only a waiting one can be withdrawn, so no transaction is needed.
        if !when.admits(Some(&Self::version(&found))) {
            return Err(changed_since().into());
        }
        match ctx.accounts().registration.withdraw_invitation(me.user(), path.id, ctx.client()).await? {
            true => Ok(()),
            false => Err(conflict(INVITATION_ENDED).into()),
        }
    }
}
