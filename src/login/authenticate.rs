//! Log in with an email address and a password.

use secrecy::{ExposeSecret as _, SecretString};

use crate::audit::{AuditAction, DetailReason, NewEvent};
use crate::db::{Failed, Fault, Refusable as _, refuse};
use crate::identity::{Client, EmailKey, LiveUser, LoginMethod};
use crate::login::counters::{HasOutcome, LoginOutcome, LoginStep};
use crate::login::open_session::OpenedSession;
use crate::login::pending_login::PendingKey;
use crate::login::queries::PasswordRecord;
use crate::login::verify_password::Rehash;
use crate::login::{Login, queries};
use crate::passwords::{Password, PasswordHash};
use crate::throttle::{AttemptKeys, RetryAfter};

/// What a visitor typed to log in.
pub struct LoginAttempt {
    pub email: String,
    pub password: SecretString,
    pub remember: bool,
    /// The session that the browser still has, which a log-in ends.
    pub replaces: Option<LiveUser>,
}

/// What a correct password leads to.
pub enum Authenticated {
    Session(OpenedSession),
    /// The user has a second factor, which is verified next.
    PendingLogin(PendingKey),
}

#[derive(Debug, PartialEq, Eq)]
pub enum LoginRefusal {
    /// Wrong password, unknown or unconfirmed address, or disabled user: one answer for all, so that it does not reveal
    /// who has an account (ASVS 5.0 6.3.8).
    NoMatch,
    TooMany(RetryAfter),
}

/// A log-in whose password was verified.
#[derive(Clone)]
struct VerifiedLogin {
    record: PasswordRecord,
    rehash: Option<Rehash>,
    keys: AttemptKeys,
    remember: bool,
    replaces: Option<LiveUser>,
    client: Client,
}

/// Why a verified password does not log in: another transaction committed first.
enum Superseded {
    /// The user was disabled or deleted, or has no password any more.
    User,
    /// The stored hash was replaced by this one.
    Hash(PasswordHash),
}

impl Login {
    /// Verifies the password and opens a session, or creates a pending log-in if the user has a second factor.
    ///
    /// # Errors
    /// [`Fault::Busy`] if too many passwords are being verified.
    pub async fn authenticate(
        &self,
        attempt: LoginAttempt,
        client: Client,
    ) -> Result<Authenticated, Failed<LoginRefusal>> {
        let outcome = self.count_verify_conclude(attempt, client).await;
        self.counters.count(LoginStep::Password, &outcome);
        outcome
    }

    async fn count_verify_conclude(
        &self,
        attempt: LoginAttempt,
        client: Client,
    ) -> Result<Authenticated, Failed<LoginRefusal>> {
        let (record, keys) = self.find_account(&attempt, &client).await?;
        let counted = self.count_attempt(&keys).await.map_refusal(LoginRefusal::TooMany)?;
        let verified =
            self.verify_password(&keys, counted, attempt.password.expose_secret(), record.as_ref()).await?;
        let (Some(verified), Some(record)) = (verified, record.clone()) else {
            return self.refuse_login(record, None, client).await;
        };
        let login = VerifiedLogin {
            record,
            rehash: verified.rehash,
            keys,
            remember: attempt.remember,
            replaces: attempt.replaces.clone(),
            client,
        };
        verified.refund.if_fault_in(self.conclude(login, attempt.password.expose_secret()).await)
    }

    /// The active user with this address, and the counters that the attempt counts against.
    async fn find_account(
        &self,
        attempt: &LoginAttempt,
        client: &Client,
    ) -> Result<(Option<PasswordRecord>, AttemptKeys), Fault> {
        let email_key = EmailKey::of_attempt(&attempt.email);
        let (key, browser) = (email_key.clone(), client.browser);
        let (record, is_known_device) = self
            .db
            .read(move |conn| {
                let record = queries::password_record(conn, &key)?;
                let is_known = match (&record, &browser) {
                    (Some(record), Some(browser)) => queries::is_known_device(conn, record.user, browser)?,
                    _ => false,
                };
                Ok((record, is_known))
            })
            .await?;
        let owner = record.as_ref().map(|record| (record.user, is_known_device));
        let keys = AttemptKeys::for_log_in(&email_key, owner, client, &self.throttle.counter_names);
        Ok((record, keys))
    }

    /// If the stored hash was replaced while the password was verified, verifies it against the new hash, once. Two
    /// first log-ins at the same time after a change of the hash cost do that to each other; a password that was really
    /// changed does not match. The attempt stays counted until a session or a pending log-in is committed.
    async fn conclude(
        &self,
        login: VerifiedLogin,
        password: &str,
    ) -> Result<Authenticated, Failed<LoginRefusal>> {
        let superseded = match self.commit_login(login.clone()).await.split()? {
            Ok(authenticated) => return Ok(authenticated),
            Err(superseded) => superseded,
        };
        if let Superseded::Hash(current) = superseded {
            let given = Password::given(password);
            let verdict = self.passwords.hasher.verify(given, Some(&current)).await.map_err(Fault::from)?;
            let record = PasswordRecord { hash: Some(current), ..login.record.clone() };
            let again = VerifiedLogin { record, rehash: None, ..login.clone() };
            if verdict.matches
                && let Ok(authenticated) = self.commit_login(again).await.split()?
            {
                return Ok(authenticated);
            }
        }
        self.refuse_login(Some(login.record), Some(DetailReason::AccountChanged), login.client).await
    }

    /// One transaction with the user's row locked: reset the counters, store the new hash, open the session, write the
    /// events. A password change or a disabling that commits first supersedes the log-in; one that commits later ends
    /// its session.
    async fn commit_login(&self, verified: VerifiedLogin) -> Result<Authenticated, Failed<Superseded>> {
        let login = self.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                let VerifiedLogin { record, rehash, keys, remember, replaces, client } = verified;
                let user = record.user;
                let Some(current) = queries::lock_password_hash(tx, user)? else {
                    return refuse(Superseded::User);
                };
                if record.hash.as_ref().map(PasswordHash::as_str) != Some(current.as_str()) {
                    return refuse(Superseded::Hash(current));
                }
                keys.reset(tx)?;
                login.end_replaced(tx, replaces.as_ref(), &client)?;
                let hash = match rehash {
                    Some(rehash) => rehash.store(tx, user, &client)?,
                    None => current,
                };
                Ok(if crate::factors::queries::has_second_factor(tx, user)? {
                    let key = login.create_pending_login(tx, user, &hash, remember, &client)?;
                    Authenticated::PendingLogin(key)
                } else {
                    let opened = login.open_session(tx, user, LoginMethod::Password, remember, &client)?;
                    Authenticated::Session(opened)
                })
            })
            .await
    }

    async fn refuse_login<T>(
        &self,
        record: Option<PasswordRecord>,
        reason: Option<DetailReason>,
        client: Client,
    ) -> Result<T, Failed<LoginRefusal>> {
        let subject = record.map(|record| record.user);
        self.db
            .write(move |conn| {
                let event = NewEvent::unproven(AuditAction::LogInRefused, subject, &client);
                match reason {
                    Some(reason) => event.reason(reason).write(conn),
                    None => event.write(conn),
                }
            })
            .await?;
        refuse(LoginRefusal::NoMatch)
    }
}

impl HasOutcome for Authenticated {
    fn outcome(&self) -> LoginOutcome {
        match self {
            Self::Session(_) => LoginOutcome::In,
            Self::PendingLogin(_) => LoginOutcome::SecondFactor,
        }
    }
}

impl HasOutcome for LoginRefusal {
    fn outcome(&self) -> LoginOutcome {
        match self {
            Self::NoMatch => LoginOutcome::Refused,
            Self::TooMany(_) => LoginOutcome::Throttled,
        }
    }
}
