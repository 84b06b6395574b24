//! Finish a pending log-in with the second factor: a code, or a passkey.

use secrecy::{ExposeSecret as _, SecretString};

use crate::audit::AuditAction;
use crate::db::{Failed, refuse};
use crate::factors::{Assertion, AttemptScope, BrowserBinding, CodeRefusal, PasskeyRefusal};
use crate::identity::{Client, LoginMethod};
use crate::login::counters::{HasOutcome, LoginOutcome, LoginStep};
use crate::login::open_session::OpenedSession;
use crate::login::pending_login::PendingHash;
use crate::login::{Login, queries};
use latchkey_sessions::SessionTx;

#[derive(Debug, PartialEq, Eq)]
pub enum SecondFactorRefusal {
    /// The pending log-in expired, had too many wrong codes, was finished by another request, or the account changed.
    /// The user has to start again.
    Gone,
    Code(CodeRefusal),
}

impl Login {
    /// Verifies `code`, of the authenticator app or a recovery code, and opens the session under a new key. One
    /// transaction with the user's row locked: of parallel requests only one finds the log-in still pending, and a
    /// password change or a disabling that commits first refuses it.
    pub async fn finish_login_with_code(
        &self,
        key: PendingHash,
        code: SecretString,
        client: Client,
    ) -> Result<OpenedSession, Failed<SecondFactorRefusal>> {
        let login = self.clone();
        let outcome = self
            .sessions
            .write_or_refuse(move |tx| login.verify_code_and_open(tx, key, code.expose_secret(), &client))
            .await;
        self.counters.count(LoginStep::SecondFactor, &outcome);
        outcome
    }

    fn verify_code_and_open(
        &self,
        tx: &mut SessionTx<'_>,
        key: PendingHash,
        code: &str,
        client: &Client,
    ) -> Result<OpenedSession, Failed<SecondFactorRefusal>> {
        let Some(pending) = queries::pending_login(tx, &key.0)? else {
            return refuse(SecondFactorRefusal::Gone);
        };
        let user = pending.user;
        if !self.lock_pending_user(tx, &pending)? || !crate::factors::queries::has_second_factor(tx, user)? {
            queries::delete_pending_login(tx, &key.0)?;
            return refuse(SecondFactorRefusal::Gone);
        }
        // Read again under the lock: another request may have finished it meanwhile.
        let Some(pending) = queries::pending_login(tx, &key.0)? else {
            return refuse(SecondFactorRefusal::Gone);
        };
        let scope = AttemptScope::PendingLogin(key.0);
        let factor = match self.factors.verify_code(tx, user, code, &scope, client) {
            Ok(factor) => factor,
            // The user can start again at once: attempts in one pending log-in do not delay another.
            Err(Failed::Refused(CodeRefusal::TooMany(_))) => {
                queries::delete_pending_login(tx, &key.0)?;
                return refuse(SecondFactorRefusal::Gone);
            }
            Err(Failed::Refused(refusal)) => return refuse(SecondFactorRefusal::Code(refusal)),
            Err(Failed::Fault(fault)) => return Err(fault.into()),
        };
        queries::delete_pending_login(tx, &key.0)?;
        queries::delete_unfinished_login(tx, &key.0)?;
        Ok(self.open_session(tx, user, factor, pending.remember, client)?)
    }

    /// As [`Login::finish_login_with_code`], with a passkey of the user.
    pub async fn finish_login_with_passkey(
        &self,
        key: PendingHash,
        binding: BrowserBinding,
        assertion: Assertion,
        client: Client,
    ) -> Result<OpenedSession, Failed<PasskeyRefusal>> {
        let outcome = self.verify_passkey_and_open(key, binding, assertion, client).await;
        self.counters.count(LoginStep::SecondFactor, &outcome);
        outcome
    }

    async fn verify_passkey_and_open(
        &self,
        key: PendingHash,
        binding: BrowserBinding,
        assertion: Assertion,
        client: Client,
    ) -> Result<OpenedSession, Failed<PasskeyRefusal>> {
        let Some(user) = self.pending_login_user(key).await? else {
            return refuse(PasskeyRefusal::PendingLoginGone);
        };
        let refused_as = AuditAction::SecondFactorRefused;
        let verified =
            self.factors.verify_passkey(Some(user), refused_as, binding, assertion, &client).await?;
        let login = self.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                // Locks the user's row.
                login.factors.record_passkey_use(tx, &verified, &client)?;
                let Some(pending) = queries::pending_login(tx, &key.0)? else {
                    return refuse(PasskeyRefusal::PendingLoginGone);
                };
                queries::delete_pending_login(tx, &key.0)?;
                if !login.lock_pending_user(tx, &pending)? {
                    return refuse(PasskeyRefusal::PendingLoginGone);
                }
                queries::delete_unfinished_login(tx, &key.0)?;
                let factor = LoginMethod::PasswordAndPasskey;
                Ok(login.open_session(tx, user, factor, pending.remember, &client)?)
            })
            .await
    }
}

impl HasOutcome for SecondFactorRefusal {
    fn outcome(&self) -> LoginOutcome {
        match self {
            Self::Code(CodeRefusal::Locked | CodeRefusal::TooMany(_)) => LoginOutcome::Throttled,
            Self::Code(CodeRefusal::Wrong) | Self::Gone => LoginOutcome::Refused,
        }
    }
}
