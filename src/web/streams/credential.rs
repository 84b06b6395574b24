//! The credential of a request to an app: an app key, or an access token for the app.

use std::sync::Arc;

use latchkey_sessions::{Handle, Principal, ScopedSession, Use};

use crate::accounts::Accounts;
use crate::apps::{AppId, AppOrigin, Caller};
use crate::db::Fault;
use crate::db::time::Moment;
use crate::identity::{User, UserId, UserSession as _};
use crate::tokens::{LiveToken, TokenId};

/// The secret in a request.
#[derive(Clone)]
pub enum Credential {
    AppKey(Arc<str>),
    Token(Arc<str>),
}

/// A credential that is valid for the app, with its user.
pub enum LiveCredential {
    Session(ScopedSession<User>),
    Token(LiveToken),
}

/// The session or token of a request: for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialId {
    Session(Handle),
    Token(TokenId),
}

impl CredentialId {
    pub fn session(self) -> Option<Handle> {
        match self {
            Self::Session(handle) => Some(handle),
            Self::Token(_) => None,
        }
    }

    pub fn token(self) -> Option<TokenId> {
        match self {
            Self::Session(_) => None,
            Self::Token(id) => Some(id),
        }
    }
}

impl Credential {
    /// The session or token of the credential; `None` if it has ended, or is for another app or origin.
    ///
    /// # Errors
    /// Those of the database. The request must then be refused.
    pub async fn find(
        &self,
        accounts: &Accounts,
        app: AppId,
        origin: &AppOrigin,
        usage: Use,
    ) -> Result<Option<LiveCredential>, Fault> {
        Ok(match self {
            Self::AppKey(key) => {
                let found = accounts.sessions().find_scoped(key, app.0, usage).await?;
                found.filter(|found| origin.is(&found.origin)).map(LiveCredential::Session)
            }
            Self::Token(text) => {
                let found = accounts.tokens.find(text, usage).await?;
                found.filter(|found| found.opens(app)).map(LiveCredential::Token)
            }
        })
    }
}

impl LiveCredential {
    pub fn user(&self) -> &User {
        match self {
            Self::Session(scoped) => &scoped.live.owner,
            Self::Token(live) => &live.user,
        }
    }

    pub fn user_id(&self) -> UserId {
        match self {
            Self::Session(scoped) => scoped.live.user_id(),
            Self::Token(live) => live.user_id,
        }
    }

    /// The principal whose changes concern it.
    pub fn principal(&self) -> Principal {
        self.user_id().principal()
    }

    pub fn id(&self) -> CredentialId {
        match self {
            Self::Session(scoped) => CredentialId::Session(scoped.live.record.handle),
            Self::Token(live) => CredentialId::Token(live.id),
        }
    }

    /// When it was found.
    pub fn moment(&self) -> Moment {
        match self {
            Self::Session(scoped) => scoped.live.moment(),
            Self::Token(live) => live.now,
        }
    }

    /// When it ends. Using a session moves this time, using a token does not.
    pub fn ends_at(&self) -> Moment {
        match self {
            Self::Session(scoped) => scoped.live.record.expires_at,
            Self::Token(live) => live.expires_at,
        }
    }

    pub fn caller(&self) -> Caller<'_> {
        match self {
            Self::Session(scoped) => Caller::of(&scoped.live, scoped.proved_at),
            Self::Token(live) => Caller::with_token(live.user_id, &live.user),
        }
    }

    /// Whether both come from the same read of the database, so that nothing has changed between them.
    pub fn is_same_reading(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Session(one), Self::Session(other)) => one.live.is_same_reading(&other.live),
            // The user is read with the token.
            (Self::Token(one), Self::Token(other)) => {
                one.id == other.id && Arc::ptr_eq(&one.user, &other.user)
            }
            _ => false,
        }
    }
}
