//! The tokens of the token's user. A program can list and revoke them, but not create one or read its text.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answers::{ListPage, NoContent};
use super::api_time::ApiTime;
use super::context::ApiContext;
use super::precondition::Precondition;
use super::scoped::{Me, Scoped};
use crate::tokens::{TokenId, TokenRecord};
use crate::web::http::error::Error;
use crate::web::http::path::{ById, Path};

/// A token, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenOut {
    pub id: Uuid,
    pub name: String,
    /// Such as `users:read`, or `app:wiki`.
    pub scopes: Vec<String>,
    /// The session in which it was created; null: the operator created it.
    pub made_by: Option<Uuid>,
    pub created_at: ApiTime,
    pub expires_at: ApiTime,
    /// Null: never.
    pub last_used_at: Option<ApiTime>,
}

impl From<&TokenRecord> for TokenOut {
    fn from(token: &TokenRecord) -> Self {
        Self {
            id: token.id.0,
            name: token.name.clone(),
            scopes: token.scopes.texts(),
            made_by: token.made_by.map(|session| session.0),
            created_at: token.created_at.into(),
            expires_at: token.expires_at.into(),
            last_used_at: token.last_used_at.map(ApiTime::from),
        }
    }
}

/// All of them: a user has few.
pub async fn list(me: Scoped<Me>, ctx: ApiContext) -> Result<ListPage<TokenOut>, Error> {
    let tokens = ctx.accounts().tokens.of_user(me.user()).await?;
    Ok(ListPage { items: tokens.iter().map(TokenOut::from).collect(), next: None })
}

pub async fn revoke(
    me: Scoped<Me>,
    ctx: ApiContext,
    Path(path): Path<ById>,
    when: Precondition,
) -> Result<NoContent, Error> {
    let tokens = &ctx.accounts().tokens;
    when.check_found(async {
        Ok::<_, Error>(tokens.of_user(me.user()).await?.iter().any(|token| token.id.0 == path.id))
    })
    .await?;
    let revoked = tokens.revoke_own(me.user(), TokenId(path.id), ctx.client()).await?;
    revoked.map(|_| NoContent).ok_or(Error::NotFound)
}
