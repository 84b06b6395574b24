//! The state that the operations on tokens share, and finding a token.

use std::sync::Arc;

use crate::db::{Db, Fault};
use crate::identity::{User, UserId};
use crate::notices::Notices;
use crate::throttle::Throttle;
use crate::tokens::queries::{self, TokenFilter};
use crate::tokens::recent_guesses::RecentGuesses;
use crate::tokens::{CachedToken, LiveToken, TokenRecord, TokenText};
use latchkey_sessions::{LeasedCache, Store, Use};

/// The access tokens of all users. Cloning shares the cache.
#[derive(Clone)]
pub struct Tokens {
    pub(super) db: Db,
    pub(super) sessions: Store<User>,
    pub(super) notices: Arc<Notices>,
    pub(super) throttle: Arc<Throttle>,
    pub(super) guesses: Arc<RecentGuesses>,
    cache: LeasedCache<CachedToken, User>,
}

impl Tokens {
    pub(crate) fn new(sessions: &Store<User>, notices: &Arc<Notices>, throttle: &Arc<Throttle>) -> Self {
        Self {
            db: sessions.db().clone(),
            cache: sessions.leased_cache(sessions.policy().cached),
            sessions: sessions.clone(),
            notices: notices.clone(),
            throttle: throttle.clone(),
            guesses: Arc::default(),
        }
    }

    /// The live token with the text `raw`: from memory while the lease holds, otherwise from the database. `None`: the
    /// text is not that of a token, or the token is unknown, expired or revoked, or its user is disabled.
    pub async fn find(&self, raw: &str, usage: Use) -> Result<Option<LiveToken>, Fault> {
        let Some(key) = TokenText::hash_of(raw) else { return Ok(None) };
        Ok(self.cache.find(key, usage).await?.map(LiveToken::from))
    }

    /// The tokens of a user that have not expired, the newest first.
    pub async fn of_user(&self, user: UserId) -> Result<Vec<TokenRecord>, Fault> {
        self.db.read(move |conn| queries::records(conn, TokenFilter::OfUser(user))).await
    }

    /// The same for all users.
    pub async fn all(&self) -> Result<Vec<TokenRecord>, Fault> {
        self.db.read(|conn| queries::records(conn, TokenFilter::All)).await
    }

    /// The cache, for the metrics.
    pub fn cache(&self) -> &LeasedCache<CachedToken, User> {
        &self.cache
    }
}
