//! A token that a request presented, with its user.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use diesel::pg::PgConnection;

use crate::apps::AppId;
use crate::db::Fault;
use crate::db::time::Moment;
use crate::identity::{User, UserId};
use crate::tokens::{ApiScope, TokenId, TokenScopes, queries};
use latchkey_sessions::{Handle, KeyHash, Leased, LeasedEntry, LeasedRow};

/// A token as it is cached, with its user in the form that sessions cache.
#[derive(Debug)]
pub struct CachedToken {
    pub id: TokenId,
    pub user_id: UserId,
    pub user: Arc<User>,
    pub name: String,
    pub scopes: TokenScopes,
    /// The session that created it; `None`: the operator.
    pub made_by: Option<Handle>,
    pub created_at: Moment,
    pub expires_at: Moment,
    /// `None`: it had never been used when it was read.
    pub last_used_at: Option<Moment>,
}

/// A token that is valid at the time of the request. The fields of [`CachedToken`] are reached through `Deref`.
#[derive(Clone)]
pub struct LiveToken {
    cached: Leased<CachedToken>,
    /// The database's time.
    pub now: Moment,
}

impl Deref for LiveToken {
    type Target = CachedToken;

    fn deref(&self) -> &CachedToken {
        &self.cached
    }
}

impl fmt::Debug for LiveToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveToken").field("id", &self.id).finish_non_exhaustive()
    }
}

impl From<Leased<CachedToken>> for LiveToken {
    fn from(cached: Leased<CachedToken>) -> Self {
        let now = cached.now();
        Self { cached, now }
    }
}

impl LiveToken {
    /// Whether the token has the scope and its user still has the role that the scope needs.
    pub fn allows(&self, scope: ApiScope) -> bool {
        match self.scopes {
            TokenScopes::Api(scopes) => scopes.contains(scope) && self.user.role >= scope.required_role(),
            TokenScopes::App(_) => false,
        }
    }

    /// Whether the token is for this app. The app's rules decide whether its user may enter.
    pub fn opens(&self, app: AppId) -> bool {
        self.scopes == TokenScopes::App(app)
    }
}

impl LeasedEntry for CachedToken {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LeasedRow<Self>>, Fault> {
        let found = queries::tokens_of_keys(conn, keys)?;
        found
            .into_iter()
            .map(|queries::TokenOfUser { row, user, is_disabled, read_at }| {
                let scopes = row.scopes();
                let key = row.token_hash.as_slice().try_into().map(KeyHash::new);
                let entry = Self {
                    id: TokenId(row.id),
                    user_id: UserId(row.user_id),
                    user: Arc::new(user),
                    scopes,
                    made_by: row.made_by.map(Handle),
                    created_at: row.created_at,
                    expires_at: row.expires_at,
                    last_used_at: row.last_used_at,
                    name: row.name,
                };
                Ok(LeasedRow {
                    key: key.map_err(|_| Fault::bug("the hash of a token does not have 32 bytes"))?,
                    principal: entry.user_id.principal(),
                    expires_at: entry.expires_at,
                    last_used_at: entry.last_used_at,
                    // Disabling a user revokes the tokens; an older version does not.
                    entry: (!is_disabled).then_some(entry),
                    read_at,
                })
            })
            .collect()
    }

    fn touch(conn: &mut PgConnection, rows: &[(KeyHash, Moment)]) -> Result<usize, Fault> {
        queries::touch(conn, rows)
    }
}
