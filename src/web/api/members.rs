//! The members of groups. Both operations are idempotent.

use super::answers::NoContent;
use super::context::ApiContext;
use super::groups::group_name;
use super::precondition::Precondition;
use super::scoped::{GroupsWrite, Scoped};
use crate::identity::{GroupName, UserId};
use crate::web::http::error::Error;
use crate::web::http::path::{ByMember, Path};

pub async fn join(
    me: Scoped<GroupsWrite>,
    ctx: ApiContext,
    Path(path): Path<ByMember>,
    when: Precondition,
) -> Result<NoContent, Error> {
    let (name, user) = (group_name(&path.name)?, UserId(path.user));
    when.check_existence(is_member(&ctx, &name, user)).await?;
    ctx.accounts().groups.join(Some(me.user()), &name, user, ctx.client()).await?;
    Ok(NoContent)
}

pub async fn leave(
    me: Scoped<GroupsWrite>,
    ctx: ApiContext,
    Path(path): Path<ByMember>,
    when: Precondition,
) -> Result<NoContent, Error> {
    let (name, user) = (group_name(&path.name)?, UserId(path.user));
    when.check_existence(is_member(&ctx, &name, user)).await?;
    ctx.accounts().groups.leave(Some(me.user()), &name, user, ctx.client()).await?;
    Ok(NoContent)
}

/// # Errors
/// 404: there is no such group or user.
async fn is_member(ctx: &ApiContext, name: &GroupName, user: UserId) -> Result<bool, Error> {
    let (groups, admin) = (&ctx.accounts().groups, &ctx.accounts().admin);
    groups.row(name).await?.ok_or(Error::NotFound)?;
    let user = admin.record(user).await?.ok_or(Error::NotFound)?;
    Ok(user.groups.iter().any(|group| group == name.as_str()))
}
