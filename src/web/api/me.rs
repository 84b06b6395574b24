//! The user of the token: answered from memory.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answers::ItemAnswer;
use super::api_time::ApiTime;
use super::precondition::ReadCondition;
use super::resource::Resource;
use super::scoped::{Me, Scoped};
use super::users::{FactorsOut, RoleName};
use crate::tokens::{LiveToken, TokenScopes};
use crate::web::http::error::Error;

/// The user of the token, and the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeOut {
    pub id: Uuid,
    pub name: String,
    pub email: String,
    pub role: RoleName,
    /// The names of the groups, sorted.
    pub groups: Vec<String>,
    pub factors: FactorsOut,
    pub token: ThisTokenOut,
}

/// The token of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThisTokenOut {
    pub id: Uuid,
    pub name: String,
    pub scopes: Vec<String>,
    pub created_at: ApiTime,
    pub expires_at: ApiTime,
}

impl From<&LiveToken> for MeOut {
    fn from(token: &LiveToken) -> Self {
        let user = &token.user;
        Self {
            id: token.user_id.0,
            name: user.name().to_owned(),
            email: user.email().to_owned(),
            role: user.role.into(),
            groups: user.groups().iter().map(ToString::to_string).collect(),
            factors: user.factors.into(),
            token: token.into(),
        }
    }
}

impl From<&LiveToken> for ThisTokenOut {
    fn from(token: &LiveToken) -> Self {
        let scopes = match &token.scopes {
            TokenScopes::Api(scopes) => scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            // Such a token is refused at the API.
            TokenScopes::App(_) => Vec::new(),
        };
        Self {
            id: token.id.0,
            name: token.name.clone(),
            scopes,
            created_at: token.created_at.into(),
            expires_at: token.expires_at.into(),
        }
    }
}

/// The user of a token, with the token.
pub struct MeResource;

impl Resource for MeResource {
    type Model = LiveToken;
    type Out = MeOut;
    type Read = Me;
}

pub async fn show(me: Scoped<Me>, when: ReadCondition) -> Result<ItemAnswer<MeResource>, Error> {
    ItemAnswer::of(&me.token).unless_known(&when)
}
