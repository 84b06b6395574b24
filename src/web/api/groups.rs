//! Groups: named sets of users. Their members are in `members.rs` and in the list of users.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::answers::ItemAnswer;
use super::context::ApiContext;
use super::methods::{Deletable, Listable, Replaceable, Retrievable};
use super::precondition::Precondition;
use super::query::NoParams;
use super::resource::Resource;
use super::scoped::{GroupsRead, GroupsWrite, Scoped};
use crate::accounts::Accounts;
use crate::db::time::Moment;
use crate::groups::GroupRow;
use crate::identity::GroupName;
use crate::web::http::error::Error;
use crate::web::http::path::ByName;
use crate::web::http::problem::Problem;

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupOut {
    pub name: String,
    /// What the group is for.
    pub note: String,
    /// The number of its members.
    pub members: u64,
    /// The short names of the apps whose rules name it.
    pub used_by: Vec<String>,
}

/// The settings of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GroupIn {
    /// What the group is for. Default: empty.
    pub note: String,
}

impl From<&GroupRow> for GroupOut {
    fn from(group: &GroupRow) -> Self {
        Self {
            name: group.name.to_string(),
            note: group.note.clone(),
            members: u64::try_from(group.members).unwrap_or(0),
            used_by: group.used_by.clone(),
        }
    }
}

/// The name of a group in a path. No group has an invalid name, so such a path is 404.
pub fn group_name(text: &str) -> Result<GroupName, Error> {
    GroupName::parse(text).map_err(|_| Error::NotFound)
}

pub struct GroupResource;

impl Resource for GroupResource {
    type Model = GroupRow;
    type Out = GroupOut;
    type Read = GroupsRead;

    /// With the time of the last join, because the number of members can be the same after a change.
    fn version(group: &GroupRow) -> Value {
        let joined = group.last_joined_at.map(|at| Moment::from(at).0);
        json!([group.name.as_str(), group.note, group.members, joined, group.used_by])
    }
}

impl Listable for GroupResource {
    type Filters = NoParams;
    type Key = String;

    async fn page(
        accounts: &Accounts,
        _: &NoParams,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<GroupRow>, Error> {
        Ok(accounts.groups.page(after, limit).await?)
    }

    fn key(_: &NoParams, group: &GroupRow) -> String {
        group.name.to_string()
    }
}

impl Retrievable for GroupResource {
    type Path = ByName;

    async fn find(accounts: &Accounts, path: &ByName) -> Result<Option<GroupRow>, Error> {
        Ok(accounts.groups.row(&group_name(&path.name)?).await?)
    }
}

impl Replaceable for GroupResource {
    type In = GroupIn;
    type Write = GroupsWrite;

    async fn put(
        me: &Scoped<GroupsWrite>,
        ctx: &ApiContext,
        path: ByName,
        when: Precondition,
        input: GroupIn,
    ) -> Result<ItemAnswer<Self>, Error> {
        let name = GroupName::parse(&path.name).map_err(|why| Problem::invalid("", why))?;
        let expected = move |group: Option<&GroupRow>| when.admits(group.map(Self::version).as_ref());
        let groups = &ctx.accounts().groups;
        let (group, is_new) = groups.put(Some(me.user()), name, &input.note, expected, ctx.client()).await?;
        let answer = ItemAnswer::of(&group);
        Ok(if is_new { answer.added_at(ctx.path().to_owned()) } else { answer })
    }
}

impl Deletable for GroupResource {
    type Write = GroupsWrite;

    async fn remove(
        me: &Scoped<GroupsWrite>,
        ctx: &ApiContext,
        path: ByName,
        when: Precondition,
    ) -> Result<(), Error> {
        let name = group_name(&path.name)?;
        let expected = move |group: &GroupRow| when.admits(Some(&Self::version(group)));
        Ok(ctx.accounts().groups.remove_if(Some(me.user()), &name, expected, ctx.client()).await?)
    }
}
