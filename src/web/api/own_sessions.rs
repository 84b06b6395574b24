//! The sessions of the token's user, with the apps that they used.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::answers::{ListPage, NoContent};
use super::api_time::ApiTime;
use super::context::ApiContext;
use super::precondition::Precondition;
use super::query::{self, Query};
use super::scoped::{Me, Scoped};
use crate::apps::AppId;
use crate::device;
use crate::web::copy::api::OTHERS_ONLY;
use crate::web::http::error::Error;
use crate::web::http::path::{ByHandle, Path};
use latchkey_sessions::{Handle, ScopedKeyRecord, SessionRecord};

/// A session of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnSessionOut {
    /// Its public id.
    pub handle: Uuid,
    /// Such as "Firefox on Linux".
    pub device: String,
    /// The IP address of the log-in.
    pub address: String,
    /// How the user logged in.
    pub login: String,
    /// "Stay logged in".
    pub remember: bool,
    pub created_at: ApiTime,
    pub last_seen_at: ApiTime,
    pub expires_at: ApiTime,
    /// Whether the token of this request was created in this session.
    pub made_this_token: bool,
    pub apps: Vec<UsedAppOut>,
}

/// An app that a session used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsedAppOut {
    /// Its short name.
    pub slug: String,
    pub last_used_at: ApiTime,
}

impl OwnSessionOut {
    fn new(record: &SessionRecord, maker: Option<Handle>, apps: Vec<UsedAppOut>) -> Self {
        Self {
            handle: record.handle.0,
            device: device::name(&record.login.user_agent),
            address: record.address.to_string(),
            login: record.login.factor.clone(),
            remember: record.remember,
            created_at: record.created_at.into(),
            last_seen_at: record.last_seen_at.into(),
            expires_at: record.expires_at.into(),
            made_this_token: maker == Some(record.handle),
            apps,
        }
    }
}

/// All of them: a user has few.
pub async fn list(me: Scoped<Me>, ctx: ApiContext) -> Result<ListPage<OwnSessionOut>, Error> {
    let accounts = ctx.accounts();
    let list = accounts.sessions().list_of(me.user().principal()).await?;
    let snapshot = accounts.apps.snapshot().await?;
    let keys: Vec<ScopedKeyRecord> = match snapshot.is_empty() {
        true => Vec::new(),
        false => accounts.apps.entered(me.user()).await?,
    };
    let apps_of = |session: Handle| -> Vec<UsedAppOut> {
        let mut apps: Vec<UsedAppOut> = Vec::new();
        // The last used key of an app comes first.
        for key in keys.iter().filter(|key| key.session == session) {
            let Some(app) = snapshot.by_id(AppId(key.scope)) else { continue };
            if !apps.iter().any(|known| known.slug == app.slug.as_str()) {
                apps.push(UsedAppOut { slug: app.slug.to_string(), last_used_at: key.last_seen_at.into() });
            }
        }
        apps
    };
    let records = list.at(me.token.now);
    let items =
        records.map(|record| OwnSessionOut::new(record, me.token.made_by, apps_of(record.handle))).collect();
    Ok(ListPage { items, next: None })
}

pub async fn end(
    me: Scoped<Me>,
    ctx: ApiContext,
    Path(path): Path<ByHandle>,
    when: Precondition,
) -> Result<NoContent, Error> {
    when.check_found(async {
        let list = ctx.accounts().sessions().list_of(me.user().principal()).await?;
        Ok::<_, Error>(list.at(me.token.now).any(|record| record.handle.0 == path.handle))
    })
    .await?;
    let login = &ctx.accounts().login;
    match login.revoke_session_of(me.user(), None, Handle(path.handle), ctx.client()).await? {
        true => Ok(NoContent),
        false => Err(Error::NotFound),
    }
}

/// Which sessions to end.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct OthersParams {
    /// Must be `true`: ends every session except the one in which the token was created.
    others: Option<bool>,
}

pub async fn end_others(
    me: Scoped<Me>,
    ctx: ApiContext,
    Query(params): Query<OthersParams>,
) -> Result<NoContent, Error> {
    if params.others != Some(true) {
        return Err(query::refused(OTHERS_ONLY).into());
    }
    // If the operator created the token, there is no session to keep.
    ctx.accounts().login.revoke_sessions_except(me.user(), me.token.made_by, ctx.client()).await?;
    Ok(NoContent)
}
