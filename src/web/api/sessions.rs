//! The live sessions of all users.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::answers::NoContent;
use super::api_time::ApiTime;
use super::context::ApiContext;
use super::methods::Listable;
use super::precondition::Precondition;
use super::query;
use super::resource::Resource;
use super::scoped::{Scoped, SessionsRead, SessionsWrite};
use crate::accounts::Accounts;
use crate::apps::AppId;
use crate::db::time::Moment;
use crate::device;
use crate::identity::UserId;
use crate::users::{SessionFilter, SessionOfUser};
use crate::web::copy::api::UNKNOWN_APP;
use crate::web::http::error::Error;
use crate::web::http::path::{ByHandle, Path};
use latchkey_sessions::Handle;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionOut {
    /// Its public id.
    pub handle: Uuid,
    pub user: SessionUserOut,
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
    /// The short names of the apps that it entered.
    pub apps: Vec<String>,
}

/// The user of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionUserOut {
    pub id: Uuid,
    pub name: String,
    pub email: String,
}

/// A session with the short names of its apps.
pub struct ListedSession {
    session: SessionOfUser,
    apps: Vec<String>,
}

impl From<&ListedSession> for SessionOut {
    fn from(ListedSession { session, apps }: &ListedSession) -> Self {
        let record = &session.record;
        Self {
            handle: record.handle.0,
            user: SessionUserOut {
                id: record.principal.0,
                name: session.user_name.clone(),
                email: session.user_email.clone(),
            },
            device: device::name(&record.login.user_agent),
            address: record.address.to_string(),
            login: record.login.factor.clone(),
            remember: record.remember,
            created_at: record.created_at.into(),
            last_seen_at: record.last_seen_at.into(),
            expires_at: record.expires_at.into(),
            apps: apps.clone(),
        }
    }
}

/// Which sessions.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct SessionParams {
    /// Only sessions of the user with this id.
    user: Option<Uuid>,
    /// Only sessions that entered the app with this short name.
    app: Option<String>,
}

pub struct SessionResource;

impl Resource for SessionResource {
    type Model = ListedSession;
    type Out = SessionOut;
    type Read = SessionsRead;
}

impl Listable for SessionResource {
    type Filters = SessionParams;
    type Key = (i64, Uuid);

    async fn page(
        accounts: &Accounts,
        params: &SessionParams,
        after: Option<(i64, Uuid)>,
        limit: i64,
    ) -> Result<Vec<ListedSession>, Error> {
        let snapshot = accounts.apps.snapshot().await?;
        let scope = match &params.app {
            None => None,
            Some(slug) => match snapshot.by_slug(slug) {
                Some(app) => Some(app.id.0),
                None => return Err(query::refused(UNKNOWN_APP).into()),
            },
        };
        let filter = SessionFilter { user: params.user.map(UserId), scope };
        let after = after.map(|(at, handle)| (Moment(at), Handle(handle)));
        let sessions = accounts.admin.sessions_of_users(filter, after, limit).await?;
        let listed = |session: SessionOfUser| {
            let apps = session.scopes.iter().filter_map(|scope| snapshot.by_id(AppId(*scope)));
            ListedSession { apps: apps.map(|app| app.slug.to_string()).collect(), session }
        };
        Ok(sessions.into_iter().map(listed).collect())
    }

    fn key(_: &SessionParams, listed: &ListedSession) -> (i64, Uuid) {
        let record = &listed.session.record;
        (record.created_at.0, record.handle.0)
    }
}

pub async fn end(
    me: Scoped<SessionsWrite>,
    ctx: ApiContext,
    Path(path): Path<ByHandle>,
    when: Precondition,
) -> Result<NoContent, Error> {
    when.check_found(async {
        Ok::<_, Error>(ctx.accounts().admin.is_live_session(Handle(path.handle)).await?)
    })
    .await?;
    let by = Some((me.user(), None));
    match ctx.accounts().admin.revoke_session(by, Handle(path.handle), ctx.client()).await? {
        true => Ok(NoContent),
        false => Err(Error::NotFound),
    }
}
