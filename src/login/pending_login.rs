//! A pending log-in: the password was verified, the second factor is next. Its key opens the page that asks for the
//! second factor and nothing else, because it is not a session (ASVS 5.0 6.3.3; NIST SP 800-63B-4 §5.1).

use crate::audit::{AuditAction, NewEvent};
use crate::config::Span;
use crate::db::Fault;
use crate::identity::{Client, UserId};
use crate::login::queries::PendingLogin;
use crate::login::{Login, queries};
use crate::passwords::PasswordHash;
use crate::secret::{self, Token, TokenHash};
use latchkey_sessions::SessionTx;

/// Long enough to find the phone.
pub(super) const PENDING_LIFETIME: Span = Span::minutes(10);
/// Per user. If there are more, the oldest are deleted.
const MAX_PENDING_LOGINS: i64 = 10;

/// The secret of a pending log-in, in the cookie only.
pub struct PendingKey(Token);

/// Hash of a [`PendingKey`] that a browser sent.
#[derive(Clone, Copy)]
pub struct PendingHash(pub(super) TokenHash);

/// What the second factor of a pending log-in can be, besides a recovery code.
pub struct SecondFactorOptions {
    pub app: bool,
    pub passkey: bool,
}

impl PendingKey {
    /// For the cookie.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

impl PendingHash {
    pub fn of(raw: &str) -> Option<Self> {
        Token::hash_of(raw).map(Self)
    }
}

impl Login {
    /// The caller has locked the user's row and verified the password against `hash`, the hash that is stored now.
    pub(super) fn create_pending_login(
        &self,
        tx: &mut SessionTx<'_>,
        user: UserId,
        hash: &PasswordHash,
        remember: bool,
        client: &Client,
    ) -> Result<PendingKey, Fault> {
        let token = Token::generate().map_err(Fault::bug)?;
        let pending = PendingLogin { user, password_fingerprint: fingerprint(hash), remember };
        queries::keep_newest_pending_logins(tx, user, MAX_PENDING_LOGINS - 1)?;
        queries::insert_pending_login(tx, &token.hash(), &pending, client, PENDING_LIFETIME.std())?;
        self.record_unfinished_login(tx, &token.hash(), user, client, PENDING_LIFETIME)?;
        NewEvent::by_owner(AuditAction::PasswordAccepted, user, client).write(tx)?;
        Ok(PendingKey(token))
    }

    pub async fn is_pending(&self, key: PendingHash) -> Result<bool, Fault> {
        self.db.read(move |conn| Ok(queries::pending_login(conn, &key.0)?.is_some())).await
    }

    pub async fn pending_login_user(&self, key: PendingHash) -> Result<Option<UserId>, Fault> {
        self.db.read(move |conn| Ok(queries::pending_login(conn, &key.0)?.map(|pending| pending.user))).await
    }

    pub async fn second_factor_options(&self, key: PendingHash) -> Result<SecondFactorOptions, Fault> {
        self.db
            .read(move |conn| {
                let Some(PendingLogin { user, .. }) = queries::pending_login(conn, &key.0)? else {
                    return Ok(SecondFactorOptions { app: false, passkey: false });
                };
                let totp = crate::factors::queries::totp(conn, user)?;
                let app = totp.is_some_and(|totp| totp.active_at.is_some());
                let passkey = crate::factors::queries::has_passkey(conn, user)?;
                Ok(SecondFactorOptions { app, passkey })
            })
            .await
    }

    pub async fn cancel_pending_login(&self, key: PendingHash) -> Result<(), Fault> {
        self.db.write(move |conn| queries::delete_pending_login(conn, &key.0).map(drop)).await
    }

    /// Locks the user's row. `false` if the user may not log in any more, or the password has changed since it was
    /// verified.
    pub(super) fn lock_pending_user(
        &self,
        tx: &mut SessionTx<'_>,
        pending: &PendingLogin,
    ) -> Result<bool, Fault> {
        let hash = queries::lock_password_hash(tx, pending.user)?;
        Ok(hash.is_some_and(|hash| fingerprint(&hash) == pending.password_fingerprint))
    }
}

/// Identifies a password hash without containing it.
fn fingerprint(hash: &PasswordHash) -> [u8; 32] {
    secret::sha256(hash.as_str().as_bytes())
}
