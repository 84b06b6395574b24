//! A token that a request presented, with its user.

use std::ops::Deref;
use std::sync::Arc;

use crate::apps::AppId;
use crate::db::time::Moment;
use crate::identity::{User, UserId};
use crate::tokens::{ApiScope, TokenId, TokenScopes};
use latchkey_sessions::Handle;

/// A token as it was read, with its user as sessions cache them.
#[derive(Debug)]
pub struct CachedToken {
    pub id: TokenId,
    pub user_id: UserId,
    pub user: Arc<User>,
    pub name: String,
    pub scopes: TokenScopes,
    /// The session that made it; `None`: the operator.
    pub made_by: Option<Handle>,
    pub created_at: Moment,
    pub expires_at: Moment,
    /// `None`: it was not used before it was read.
    pub last_used_at: Option<Moment>,
}

/// A token that is alive in this request. The fields of [`CachedToken`] are reached through `Deref`.
#[derive(Clone, Debug)]
pub struct LiveToken {
    pub(super) cached: Arc<CachedToken>,
    /// The database's time.
    pub now: Moment,
}

impl Deref for LiveToken {
    type Target = CachedToken;

    fn deref(&self) -> &CachedToken {
        &self.cached
    }
}

impl LiveToken {
    /// Whether the token has the scope and its user still has the role that the scope needs.
    pub fn allows(&self, scope: ApiScope) -> bool {
        match self.scopes {
            TokenScopes::Api(scopes) => scopes.contains(scope) && self.user.role >= scope.needs(),
            TokenScopes::App(_) => false,
        }
    }

    /// Whether the token is for this app. Whether its user may enter is for the app's rules to decide.
    pub fn opens(&self, app: AppId) -> bool {
        self.scopes == TokenScopes::App(app)
    }
}
