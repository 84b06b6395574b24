//! Users: list, show, change, and end their sessions.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::answers::{ItemAnswer, NoContent};
use super::api_time::ApiTime;
use super::context::ApiContext;
use super::methods::{Listable, Patchable, Replaceable, Retrievable};
use super::precondition::Precondition;
use super::query;
use super::resource::Resource;
use super::scoped::{RolesWrite, Scoped, UsersRead, UsersWrite};
use crate::accounts::Accounts;
use crate::identity::{EnrolledFactors, GroupName, Name, Role, UserId};
use crate::users::{UserEdit, UserFilter, UserKey, UserOrder, UserRecord, UserState};
use crate::web::copy::api::UNKNOWN_GROUP;
use crate::web::http::error::Error;
use crate::web::http::path::{ById, Path};
use crate::web::http::problem::Problem;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserOut {
    pub id: Uuid,
    pub name: String,
    pub email: String,
    pub role: RoleName,
    /// Disabled users cannot log in.
    pub disabled: bool,
    /// The user requested the deletion of the account.
    pub leaving: bool,
    /// The names of the groups, sorted.
    pub groups: Vec<String>,
    pub factors: FactorsOut,
    /// The number of live sessions.
    pub sessions: u64,
    pub created_at: ApiTime,
    /// Null: never.
    pub last_login_at: Option<ApiTime>,
}

/// The permission level of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RoleName {
    Member,
    Admin,
}

/// What a user can log in with besides the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorsOut {
    pub authenticator_app: bool,
    pub passkey: bool,
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Member => Self::Member,
            Role::Admin => Self::Admin,
        }
    }
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Member => Self::Member,
            RoleName::Admin => Self::Admin,
        }
    }
}

impl From<EnrolledFactors> for FactorsOut {
    fn from(factors: EnrolledFactors) -> Self {
        Self { authenticator_app: factors.totp, passkey: factors.passkey }
    }
}

impl From<&UserRecord> for UserOut {
    fn from(user: &UserRecord) -> Self {
        Self {
            id: user.id.0,
            name: user.name.clone(),
            email: user.email.clone(),
            role: user.role.into(),
            disabled: user.disabled,
            leaving: user.leaving,
            groups: user.groups.clone(),
            factors: user.factors.into(),
            sessions: u64::try_from(user.sessions).unwrap_or(0),
            created_at: user.created_at.into(),
            last_login_at: user.last_login_at.map(ApiTime::from),
        }
    }
}

/// Which users, and in which order.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct UserParams {
    /// Part of the name or the email address.
    q: Option<String>,
    #[param(inline)]
    role: Option<RoleName>,
    /// Only members of this group.
    group: Option<String>,
    #[param(inline)]
    state: Option<StateName>,
    /// The order. Default: the newest users first.
    #[param(inline)]
    order: Option<OrderName>,
}

/// The state of an account.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StateName {
    Active,
    Disabled,
    Leaving,
}

/// An order of users. `-` means descending.
#[derive(Clone, Copy, Deserialize, ToSchema)]
enum OrderName {
    #[serde(rename = "-created_at")]
    NewestFirst,
    #[serde(rename = "created_at")]
    OldestFirst,
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "email")]
    Email,
}

impl UserParams {
    fn order(&self) -> UserOrder {
        match self.order {
            None | Some(OrderName::NewestFirst) => UserOrder::NewestFirst,
            Some(OrderName::OldestFirst) => UserOrder::OldestFirst,
            Some(OrderName::Name) => UserOrder::Name,
            Some(OrderName::Email) => UserOrder::Email,
        }
    }

    /// # Errors
    /// 400: there is no such group.
    async fn filter(&self, accounts: &Accounts) -> Result<UserFilter, Error> {
        let group = match &self.group {
            None => None,
            Some(text) => Some(existing_group(accounts, text).await?),
        };
        let state = self.state.map(|state| match state {
            StateName::Active => UserState::Active,
            StateName::Disabled => UserState::Disabled,
            StateName::Leaving => UserState::Leaving,
        });
        Ok(UserFilter {
            q: self.q.clone().unwrap_or_default().trim().to_owned(),
            role: self.role.map(Role::from),
            group,
            state,
            order: self.order(),
        })
    }
}

/// A typing error must not read as a group without members.
async fn existing_group(accounts: &Accounts, text: &str) -> Result<GroupName, Error> {
    if let Ok(name) = GroupName::parse(text)
        && accounts.groups.row(&name).await?.is_some()
    {
        return Ok(name);
    }
    Err(query::refused(UNKNOWN_GROUP).into())
}

/// Changes of a user. Fields that are left out or null are not changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    #[serde(default)]
    name: Option<String>,
    /// `true` ends every session and revokes every token of the user, who cannot log in until it is `false` again.
    #[serde(default)]
    disabled: Option<bool>,
}

pub struct UserResource;

impl Resource for UserResource {
    type Model = UserRecord;
    type Out = UserOut;
    type Read = UsersRead;

    /// Without sessions and log-ins, which change too often.
    fn version(user: &UserRecord) -> Value {
        let factors = (user.factors.totp, user.factors.passkey);
        json!([user.name, user.email, user.role.as_str(), user.disabled, user.leaving, user.groups, factors])
    }
}

impl Listable for UserResource {
    type Filters = UserParams;
    type Key = UserKey;

    async fn page(
        accounts: &Accounts,
        params: &UserParams,
        after: Option<UserKey>,
        limit: i64,
    ) -> Result<Vec<UserRecord>, Error> {
        Ok(accounts.admin.records(params.filter(accounts).await?, after, limit).await?)
    }

    fn key(params: &UserParams, user: &UserRecord) -> UserKey {
        UserKey::of(user, params.order())
    }
}

impl Retrievable for UserResource {
    type Path = ById;

    async fn find(accounts: &Accounts, path: &ById) -> Result<Option<UserRecord>, Error> {
        Ok(accounts.admin.record(UserId(path.id)).await?)
    }
}

impl Patchable for UserResource {
    type Patch = UserPatch;
    type Write = UsersWrite;

    async fn patch(
        me: &Scoped<UsersWrite>,
        ctx: &ApiContext,
        path: ById,
        when: Precondition,
        patch: UserPatch,
    ) -> Result<ItemAnswer<Self>, Error> {
        let name = patch.name.as_deref().map(Name::parse).transpose();
        let name = name.map_err(|why| Problem::invalid("/name", why))?;
        let edit = UserEdit { name, disabled: patch.disabled, role: None };
        edited(me.user(), ctx, path, when, edit).await.map(|user| ItemAnswer::of(&user))
    }
}

async fn edited(
    actor: UserId,
    ctx: &ApiContext,
    path: ById,
    when: Precondition,
    edit: UserEdit,
) -> Result<UserRecord, Error> {
    let expected = move |user: &UserRecord| when.admits(Some(&UserResource::version(user)));
    Ok(ctx.accounts().admin.edit_user(actor, UserId(path.id), edit, expected, ctx.client()).await?)
}

/// Ends every session of a user, and revokes every token. The precondition is about the user.
pub async fn end_sessions(
    me: Scoped<UsersWrite>,
    ctx: ApiContext,
    Path(path): Path<ById>,
    when: Precondition,
) -> Result<NoContent, Error> {
    let expected = move |user: &UserRecord| when.admits(Some(&UserResource::version(user)));
    ctx.accounts().admin.revoke_sessions_if(me.user(), UserId(path.id), expected, ctx.client()).await?;
    Ok(NoContent)
}

/// The role of a user, which has a scope of its own.
pub struct RoleResource;

/// A role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleIn {
    role: RoleName,
}

impl Resource for RoleResource {
    type Model = UserRecord;
    type Out = UserOut;
    type Read = UsersRead;

    fn version(user: &UserRecord) -> Value {
        UserResource::version(user)
    }
}

impl Retrievable for RoleResource {
    type Path = ById;

    async fn find(accounts: &Accounts, path: &ById) -> Result<Option<UserRecord>, Error> {
        UserResource::find(accounts, path).await
    }
}

impl Replaceable for RoleResource {
    type In = RoleIn;
    type Write = RolesWrite;

    async fn put(
        me: &Scoped<RolesWrite>,
        ctx: &ApiContext,
        path: ById,
        when: Precondition,
        input: RoleIn,
    ) -> Result<ItemAnswer<Self>, Error> {
        let edit = UserEdit { role: Some(input.role.into()), ..UserEdit::default() };
        edited(me.user(), ctx, path, when, edit).await.map(|user| ItemAnswer::of(&user))
    }
}
