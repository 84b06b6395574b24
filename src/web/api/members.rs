//! The members of groups. Both operations are idempotent.

use super::answers::NoContent;
use super::context::ApiContext;
use super::groups::group_name;
use super::scoped::{GroupsWrite, Scoped};
use crate::identity::UserId;
use crate::web::http::error::Error;
use crate::web::http::path::{ByMember, Path};

pub async fn join(
    me: Scoped<GroupsWrite>,
    ctx: ApiContext,
    Path(path): Path<ByMember>,
) -> Result<NoContent, Error> {
    let (name, user) = (group_name(&path.name)?, UserId(path.user));
    ctx.accounts().groups.join(Some(me.user()), &name, user, ctx.client()).await?;
    Ok(NoContent)
}

pub async fn leave(
    me: Scoped<GroupsWrite>,
    ctx: ApiContext,
    Path(path): Path<ByMember>,
) -> Result<NoContent, Error> {
    let (name, user) = (group_name(&path.name)?, UserId(path.user));
    ctx.accounts().groups.leave(Some(me.user()), &name, user, ctx.client()).await?;
    Ok(NoContent)
}
