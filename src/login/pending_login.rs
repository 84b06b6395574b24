//! Between the password and the second factor: a log-in that is not a session. Its key opens the page that asks for
//! the factor and nothing else, because no session is kept under it (ASVS 5.0 6.3.3; NIST SP 800-63B-4 §5.1).

use crate::audit::{AuditAction, NewEvent};
use crate::config::Span;
use crate::db::Fault;
use crate::factors::{Assertion, AttemptScope, BrowserBinding, CodeRefusal, PasskeyRefusal};
use crate::identity::{Answer, Client, LoginMethod, UserId};
use crate::login::authenticate::OpenedSession;
use crate::login::counters::LoginMethod;
use crate::login::{Login, queries};
use crate::passwords::PasswordHash;
use crate::secret::{self, Token, TokenHash};
use latchkey_sessions::SessionTx;

/// Long enough to find the phone.
const PENDING_LIFETIME: Span = Span::minutes(10);
/// So many of one person wait at most; the oldest make room.
const MAX_PENDING_LOGINS: i64 = 10;

/// How a log-in with the right password goes on.
pub enum Authenticated {
    Session(OpenedSession),
    /// There is a second factor to prove.
    PendingLogin(PendingKey),
}

/// The secret of a pending log-in, in the cookie only.
pub struct PendingKey(Token);

/// Hash of a [`PendingKey`] that a browser sent.
#[derive(Clone, Copy)]
pub struct PendingHash(TokenHash);

/// What is kept of a log-in until its factor is proven.
pub(crate) struct PendingLogin {
    pub user: UserId,
    /// See [`fingerprint`].
    pub proven: [u8; 32],
    pub remember: bool,
}

pub struct SecondFactorOptions {
    pub app: bool,
    pub passkey: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum SecondFactorRefusal {
    /// It ended: too old, too many wrong codes, used by another request, or the account changed. Log in anew.
    Gone,
    Code(CodeRefusal),
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

/// Tells one stored password hash from another without being one.
pub(crate) fn fingerprint(hash: &PasswordHash) -> [u8; 32] {
    secret::sha256(hash.as_str().as_bytes())
}

impl Login {
    /// The password was right. The caller has locked the user's row.
    pub(crate) fn create_pending_login(
        &self,
        tx: &mut SessionTx<'_>,
        pending: &PendingLogin,
        client: &Client,
    ) -> Result<PendingKey, Fault> {
        let token = Token::generate().map_err(Fault::bug)?;
        queries::keep_newest_pending_logins(tx, pending.user, MAX_PENDING_LOGINS - 1)?;
        queries::insert_pending_login(tx, &token.hash(), pending, client, PENDING_LIFETIME.std())?;
        self.record_unfinished_login(tx, &token.hash(), pending.user, client, PENDING_LIFETIME)?;
        NewEvent::by_owner(AuditAction::PasswordAccepted, pending.user, client).write(tx)?;
        Ok(PendingKey(token))
    }

    /// Whether the log-in still waits for its factor.
    pub async fn is_pending(&self, key: PendingHash) -> Result<bool, Fault> {
        self.db.read(move |conn| Ok(queries::pending_login(conn, &key.0)?.is_some())).await
    }

    /// Whose log-in waits.
    pub async fn pending_login_user(&self, key: PendingHash) -> Result<Option<UserId>, Fault> {
        self.db.read(move |conn| Ok(queries::pending_login(conn, &key.0)?.map(|pending| pending.user))).await
    }

    /// What that person can take the second step with, besides a recovery code.
    pub async fn second_factor_options(&self, key: PendingHash) -> Result<SecondFactorOptions, Fault> {
        self.db
            .read(move |conn| {
                let Some(PendingLogin { user, .. }) = queries::pending_login(conn, &key.0)? else {
                    return Ok(SecondFactorOptions { app: false, passkey: false });
                };
                let app =
                    crate::factors::queries::totp(conn, user)?.is_some_and(|totp| totp.active_at.is_some());
                Ok(SecondFactorOptions { app, passkey: crate::factors::queries::has_passkey(conn, user)? })
            })
            .await
    }

    /// The same as [`Login::finish_login_with_code`], with a passkey of that person.
    pub async fn finish_login_with_passkey(
        &self,
        key: PendingHash,
        binding: BrowserBinding,
        answer: Assertion,
        client: Client,
    ) -> Answer<OpenedSession, PasskeyRefusal> {
        let answer = self.verify_second_step_passkey(key, binding, answer, client).await;
        self.counters.count(LoginMethod::SecondFactor, &answer);
        answer
    }

    async fn verify_second_step_passkey(
        &self,
        key: PendingHash,
        binding: BrowserBinding,
        answer: Assertion,
        client: Client,
    ) -> Answer<OpenedSession, PasskeyRefusal> {
        let Some(user) = self.pending_login_user(key).await? else {
            return Ok(Err(PasskeyRefusal::PendingLoginGone));
        };
        let proof = match self.factors.verify_passkey(Some(user), binding, answer, &client).await? {
            Ok(proof) => proof,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let login = self.clone();
        self.sessions
            .write(move |tx| {
                // Locks the user's row.
                if let Err(refusal) = login.factors.record_passkey_use(tx, &proof, &client)? {
                    return Ok(Err(refusal));
                }
                let Some(PendingLogin { proven, remember, .. }) = queries::pending_login(tx, &key.0)? else {
                    return Ok(Err(PasskeyRefusal::PendingLoginGone));
                };
                queries::delete_pending_login(tx, &key.0)?;
                if !queries::lock_if_fingerprint_matches(tx, user, &proven)? {
                    return Ok(Err(PasskeyRefusal::PendingLoginGone));
                }
                queries::delete_unfinished_login(tx, &key.0)?;
                login.open_session(tx, user, LoginMethod::PasswordAndPasskey, remember, &client).map(Ok)
            })
            .await
    }

    /// Whoever gives up logging in.
    pub async fn cancel_pending_login(&self, key: PendingHash) -> Result<(), Fault> {
        self.db.write(move |conn| queries::delete_pending_login(conn, &key.0).map(drop)).await
    }

    /// Checks `code` (of the authenticator app, or a recovery code) and opens the session with a key of its own. One
    /// transaction, in which the user's row is locked: of parallel submits one finds the log-in still pending, and a
    /// change of password or a disabling that commits first refuses it.
    pub async fn finish_login_with_code(
        &self,
        key: PendingHash,
        code: String,
        client: Client,
    ) -> Answer<OpenedSession, SecondFactorRefusal> {
        let answer = self.verify_second_step_code(key, code, client).await;
        self.counters.count(LoginMethod::SecondFactor, &answer);
        answer
    }

    async fn verify_second_step_code(
        &self,
        key: PendingHash,
        code: String,
        client: Client,
    ) -> Answer<OpenedSession, SecondFactorRefusal> {
        let login = self.clone();
        self.sessions
            .write(move |tx| {
                let Some(PendingLogin { user, proven, .. }) = queries::pending_login(tx, &key.0)? else {
                    return Ok(Err(SecondFactorRefusal::Gone));
                };
                if !queries::lock_if_fingerprint_matches(tx, user, &proven)?
                    || !crate::factors::queries::has_second_factor(tx, user)?
                {
                    queries::delete_pending_login(tx, &key.0)?;
                    return Ok(Err(SecondFactorRefusal::Gone));
                }
                // Asked again, because somebody may have held the row and finished it.
                let Some(PendingLogin { remember, .. }) = queries::pending_login(tx, &key.0)? else {
                    return Ok(Err(SecondFactorRefusal::Gone));
                };
                let factor = match login.factors.verify_code(
                    tx,
                    user,
                    &code,
                    &AttemptScope::PendingLogin(key.0),
                    &client,
                )? {
                    Ok(factor) => factor,
                    // Whoever knows the password may begin anew at once: nobody waits for what another log-in did.
                    Err(CodeRefusal::TooMany(_)) => {
                        queries::delete_pending_login(tx, &key.0)?;
                        return Ok(Err(SecondFactorRefusal::Gone));
                    }
                    Err(refusal) => return Ok(Err(SecondFactorRefusal::Code(refusal))),
                };
                queries::delete_pending_login(tx, &key.0)?;
                queries::delete_unfinished_login(tx, &key.0)?;
                login.open_session(tx, user, factor, remember, &client).map(Ok)
            })
            .await
    }
}
