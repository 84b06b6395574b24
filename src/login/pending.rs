//! Between the password and the second factor: a log-in that is not a session. Its key opens the page that asks for
//! the factor and nothing else, because no session is kept under it (ASVS 5.0 6.3.3; NIST SP 800-63B-4 §5.1).

use crate::audit::{Act, Entry};
use crate::config::Span;
use crate::db::Fault;
use crate::factors::{Assertion, Binding, CodeRefusal, PasskeyRefusal, Place};
use crate::identity::{Answer, Client, Factor, UserId};
use crate::login::authenticate::Opened;
use crate::login::log_ins::Way;
use crate::login::{Login, queries};
use crate::passwords::PasswordHash;
use crate::secret::{self, Token, TokenHash};
use latchkey_sessions::SessionTx;

/// Long enough to find the phone.
const GOOD_FOR: Span = Span::minutes(10);
/// So many of one person wait at most; the oldest make room.
const MOST: i64 = 10;

/// How a log-in with the right password goes on.
pub enum LoggedIn {
    Open(Opened),
    /// There is a second factor to prove.
    Pending(PendingKey),
}

/// The secret of a pending log-in, in the cookie only.
pub struct PendingKey(Token);

/// Hash of a [`PendingKey`] that a browser sent.
#[derive(Clone, Copy)]
pub struct PendingHash(TokenHash);

/// What is kept of a log-in until its factor is proven.
pub(crate) struct Pending {
    pub user: UserId,
    /// See [`fingerprint`].
    pub proven: [u8; 32],
    pub remember: bool,
}

pub struct SecondSteps {
    pub app: bool,
    pub passkey: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum PendingRefusal {
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
    pub(crate) fn hold(
        &self,
        change: &mut SessionTx<'_>,
        pending: &Pending,
        client: &Client,
    ) -> Result<PendingKey, Fault> {
        let token = Token::generate().map_err(Fault::bug)?;
        queries::keep_newest_pending(change, pending.user, MOST - 1)?;
        queries::insert_pending(change, &token.hash(), pending, client, GOOD_FOR.std())?;
        self.expect_second_step(change, &token.hash(), pending.user, client, GOOD_FOR)?;
        Entry::own(Act::PasswordAccepted, pending.user, client).write(change)?;
        Ok(PendingKey(token))
    }

    /// Whether the log-in still waits for its factor.
    pub async fn is_pending(&self, key: PendingHash) -> Result<bool, Fault> {
        self.db.read(move |conn| Ok(queries::pending(conn, &key.0)?.is_some())).await
    }

    /// Whose log-in waits.
    pub async fn pending_user(&self, key: PendingHash) -> Result<Option<UserId>, Fault> {
        self.db.read(move |conn| Ok(queries::pending(conn, &key.0)?.map(|pending| pending.user))).await
    }

    /// What that person can take the second step with, besides a recovery code.
    pub async fn second_steps(&self, key: PendingHash) -> Result<SecondSteps, Fault> {
        self.db
            .read(move |conn| {
                let Some(Pending { user, .. }) = queries::pending(conn, &key.0)? else {
                    return Ok(SecondSteps { app: false, passkey: false });
                };
                let app =
                    crate::factors::queries::totp(conn, user)?.is_some_and(|totp| totp.active_at.is_some());
                Ok(SecondSteps { app, passkey: crate::factors::queries::has_passkey(conn, user)? })
            })
            .await
    }

    /// The same as [`Login::finish_log_in`], with a passkey of that person.
    pub async fn finish_log_in_with_passkey(
        &self,
        key: PendingHash,
        binding: Binding,
        answer: Assertion,
        client: Client,
    ) -> Answer<Opened, PasskeyRefusal> {
        let answer = self.second_step_with_passkey(key, binding, answer, client).await;
        self.log_ins.count(Way::SecondFactor, &answer);
        answer
    }

    async fn second_step_with_passkey(
        &self,
        key: PendingHash,
        binding: Binding,
        answer: Assertion,
        client: Client,
    ) -> Answer<Opened, PasskeyRefusal> {
        let Some(user) = self.pending_user(key).await? else { return Ok(Err(PasskeyRefusal::LogInGone)) };
        let proof = match self.factors.prove(Some(user), binding, answer, &client).await? {
            Ok(proof) => proof,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let login = self.clone();
        self.sessions
            .write(move |change| {
                // Locks the user's row.
                if let Err(refusal) = login.factors.use_up(change, &proof, &client)? {
                    return Ok(Err(refusal));
                }
                let Some(Pending { proven, remember, .. }) = queries::pending(change, &key.0)? else {
                    return Ok(Err(PasskeyRefusal::LogInGone));
                };
                queries::delete_pending(change, &key.0)?;
                if !queries::lock_proven(change, user, &proven)? {
                    return Ok(Err(PasskeyRefusal::LogInGone));
                }
                queries::delete_unfinished(change, &key.0)?;
                login.open_session(change, user, Factor::PasswordAndPasskey, remember, &client).map(Ok)
            })
            .await
    }

    /// Whoever gives up logging in.
    pub async fn forget_pending(&self, key: PendingHash) -> Result<(), Fault> {
        self.db.write(move |conn| queries::delete_pending(conn, &key.0).map(drop)).await
    }

    /// Checks `code` (of the authenticator app, or a recovery code) and opens the session with a key of its own. One
    /// transaction, in which the user's row is locked: of parallel submits one finds the log-in still pending, and a
    /// change of password or a disabling that commits first refuses it.
    pub async fn finish_log_in(
        &self,
        key: PendingHash,
        code: String,
        client: Client,
    ) -> Answer<Opened, PendingRefusal> {
        let answer = self.second_step_with_code(key, code, client).await;
        self.log_ins.count(Way::SecondFactor, &answer);
        answer
    }

    async fn second_step_with_code(
        &self,
        key: PendingHash,
        code: String,
        client: Client,
    ) -> Answer<Opened, PendingRefusal> {
        let login = self.clone();
        self.sessions
            .write(move |change| {
                let Some(Pending { user, proven, .. }) = queries::pending(change, &key.0)? else {
                    return Ok(Err(PendingRefusal::Gone));
                };
                if !queries::lock_proven(change, user, &proven)?
                    || !crate::factors::queries::has_second_factor(change, user)?
                {
                    queries::delete_pending(change, &key.0)?;
                    return Ok(Err(PendingRefusal::Gone));
                }
                // Asked again, because somebody may have held the row and finished it.
                let Some(Pending { remember, .. }) = queries::pending(change, &key.0)? else {
                    return Ok(Err(PendingRefusal::Gone));
                };
                let factor =
                    match login.factors.prove_code(change, user, &code, &Place::Pending(key.0), &client)? {
                        Ok(factor) => factor,
                        // Whoever knows the password may begin anew at once: nobody waits for what another log-in did.
                        Err(CodeRefusal::TooMany(_)) => {
                            queries::delete_pending(change, &key.0)?;
                            return Ok(Err(PendingRefusal::Gone));
                        }
                        Err(refusal) => return Ok(Err(PendingRefusal::Code(refusal))),
                    };
                queries::delete_pending(change, &key.0)?;
                queries::delete_unfinished(change, &key.0)?;
                login.open_session(change, user, factor, remember, &client).map(Ok)
            })
            .await
    }
}
