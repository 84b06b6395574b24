//! Log in, or confirm a session, with a passkey.

use serde_json::Value;

use crate::audit::{AuditAction, NewEvent};
use crate::db::{Failed, refuse};
use crate::factors::{Assertion, BrowserBinding, PasskeyRefusal};
use crate::identity::{Client, LiveUser, LoginMethod, UserId, UserSession as _};
use crate::login::Login;
use crate::login::counters::{HasOutcome, LoginOutcome, LoginStep};
use crate::login::open_session::OpenedSession;
use latchkey_sessions::Key;

/// What a browser answers to log in with a passkey.
pub struct PasskeyLogin {
    pub assertion: Assertion,
    pub remember: bool,
    /// The session that the browser still has, which a log-in ends.
    pub replaces: Option<LiveUser>,
}

impl Login {
    /// The options for the browser: for a passkey of any user, or of `user` if the user is known.
    ///
    /// # Errors
    /// Refused if the network asked too often, or `user` has no passkey.
    pub async fn start_passkey_authentication(
        &self,
        user: Option<UserId>,
        binding: BrowserBinding,
        client: Client,
    ) -> Result<Value, Failed<PasskeyRefusal>> {
        let outcome = self.factors.start_passkey_authentication(user, binding, client).await;
        if matches!(outcome, Err(Failed::Refused(PasskeyRefusal::TooMany(_)))) {
            self.counters.count_throttled(LoginStep::Passkey);
        }
        outcome
    }

    /// Opens a session of the user who owns the passkey. A passkey is two factors: the device, and the PIN or biometric
    /// check that the device made (ASVS 5.0 6.3.3).
    pub async fn log_in_with_passkey(
        &self,
        binding: BrowserBinding,
        answer: PasskeyLogin,
        client: Client,
    ) -> Result<OpenedSession, Failed<PasskeyRefusal>> {
        let outcome = self.open_with_passkey(binding, answer, client).await;
        self.counters.count(LoginStep::Passkey, &outcome);
        outcome
    }

    async fn open_with_passkey(
        &self,
        binding: BrowserBinding,
        answer: PasskeyLogin,
        client: Client,
    ) -> Result<OpenedSession, Failed<PasskeyRefusal>> {
        let PasskeyLogin { assertion, remember, replaces } = answer;
        let refused_as = AuditAction::LogInRefused;
        let verified = self.factors.verify_passkey(None, refused_as, binding, assertion, &client).await?;
        let login = self.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                login.factors.record_passkey_use(tx, &verified, &client)?;
                let user = verified.passkey.user;
                login.end_replaced(tx, replaces.as_ref(), &client)?;
                Ok(login.open_session(tx, user, LoginMethod::Passkey, remember, &client)?)
            })
            .await
    }

    /// Rotates the session's key, after a passkey of its own user (ASVS 5.0 7.2.4, 7.5.1).
    pub async fn confirm_with_passkey(
        &self,
        live: LiveUser,
        binding: BrowserBinding,
        assertion: Assertion,
        client: Client,
    ) -> Result<Key, Failed<PasskeyRefusal>> {
        let (user, refused_as) = (live.user_id(), AuditAction::ConfirmRefused);
        let verified =
            self.factors.verify_passkey(Some(user), refused_as, binding, assertion, &client).await?;
        let login = self.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                login.factors.record_passkey_use(tx, &verified, &client)?;
                let Some(key) = login.sessions.rotate(tx, &live, true)? else {
                    return refuse(PasskeyRefusal::SessionLost);
                };
                NewEvent::by_owner(AuditAction::Confirmed, live.user_id(), &client)
                    .session(live.record.handle)
                    .detail(LoginMethod::Passkey.confirmed_with())
                    .write(tx)?;
                Ok(key)
            })
            .await
    }
}

impl HasOutcome for PasskeyRefusal {
    fn outcome(&self) -> LoginOutcome {
        match self {
            Self::TooMany(_) => LoginOutcome::Throttled,
            _ => LoginOutcome::Refused,
        }
    }
}
