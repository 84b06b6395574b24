//! The state that the operations on tokens share.

use std::sync::Arc;

use crate::db::{Db, Failed, Fault};
use crate::identity::{Client, User, UserId};
use crate::throttle::Throttle;
use crate::tokens::recent_guesses::RecentGuesses;
use crate::tokens::{CreatedToken, LiveToken, NewToken, TokenId, TokenRecord, TokenRefusal};
use latchkey_sessions::{Store, Use};

/// Personal access tokens.
#[derive(Clone)]
pub struct Tokens {
    pub(super) db: Db,
    pub(super) sessions: Store<User>,
    pub(super) throttle: Arc<Throttle>,
    pub(super) guesses: Arc<RecentGuesses>,
}

impl Tokens {
    pub(crate) fn new(sessions: &Store<User>, throttle: &Arc<Throttle>) -> Self {
        Self {
            db: sessions.db().clone(),
            sessions: sessions.clone(),
            throttle: throttle.clone(),
            guesses: Arc::default(),
        }
    }

    /// The live token with the text `raw`: from memory while the lease holds, otherwise from the database. `None`: the
    /// text is not that of a token, or the token is unknown, expired or revoked, or its user is disabled.
    pub async fn find(&self, raw: &str, usage: Use) -> Result<Option<LiveToken>, Fault> {
        let _ = (raw, usage);
        Err(unfinished())
    }

    /// Makes a token, mails a notice to its user, and returns the text, which is not stored.
    pub async fn create(&self, token: NewToken, client: Client) -> Result<CreatedToken, Failed<TokenRefusal>> {
        let _ = (token, client);
        Err(unfinished().into())
    }

    /// Revokes a token of `user`, who requests it; `None` if the user has no such token. Returns when no instance
    /// accepts it any more.
    pub async fn revoke_own(&self, user: UserId, id: TokenId, client: Client) -> Result<Option<TokenRecord>, Fault> {
        let _ = (user, id, client);
        Err(unfinished())
    }

    /// The same for an administrator (`actor`) or the operator (`None`), for a token of any user.
    pub async fn revoke(
        &self,
        actor: Option<UserId>,
        id: TokenId,
        client: Client,
    ) -> Result<Option<TokenRecord>, Fault> {
        let _ = (actor, id, client);
        Err(unfinished())
    }

    /// The tokens of a user that have not expired, the newest first.
    pub async fn of_user(&self, user: UserId) -> Result<Vec<TokenRecord>, Fault> {
        let _ = user;
        Err(unfinished())
    }
}

fn unfinished() -> Fault {
    Fault::bug("tokens cannot be stored yet")
}
