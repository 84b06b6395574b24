//! Log in with a password.

use diesel::pg::PgConnection;
use uuid::Uuid;

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::identity::{Answer, Client, EmailKey, LoginMethod, UserId};
use crate::login::counters::LoginMethod;
use crate::login::known_devices::DeviceCookie;
use crate::login::pending_login::{Authenticated, PendingLogin, fingerprint};
use crate::login::{Login, queries};
use crate::passwords::{Password, PasswordHash};
use crate::throttle::{AttemptDecision, AttemptKeys, RefundOnFault, RetryAfter};
use latchkey_sessions::{self as sessions, Key, SessionTx};

/// What somebody typed to log in.
pub struct LoginAttempt {
    pub email: String,
    pub password: String,
    pub remember: bool,
}

/// A session opened for somebody who proved themselves.
pub struct OpenedSession {
    pub user: UserId,
    pub key: Key,
    pub remember: bool,
    /// For the browser to keep: next time it is known.
    pub device_cookie: DeviceCookie,
    /// They had asked to be deleted, and now are not.
    pub deletion_cancelled: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum LoginRefusal {
    /// Wrong password, unknown or unverified address, disabled: nobody learns which (ASVS 5.0 6.3.8).
    NoMatch,
    TooMany(RetryAfter),
}

/// What is kept of a user to check a password by.
#[derive(Clone)]
pub(crate) struct PasswordRecord {
    pub id: UserId,
    pub hash: Option<PasswordHash>,
}

/// How a password check ended.
pub(crate) enum PasswordCheck {
    /// It matches; with a fresh hash where the stored one is outdated.
    Yes {
        rehashed: Option<Rehash>,
    },
    No,
    TooMany(RetryAfter),
}

/// The same password, hashed as ours are today.
pub(crate) struct Rehash {
    hash: PasswordHash,
    /// What to note of a password that came from elsewhere.
    migration_note: Option<&'static str>,
}

impl Rehash {
    /// Keeps it in place of the old hash. The caller has locked the user's row.
    pub fn keep(&self, conn: &mut PgConnection, user: UserId, client: &Client) -> Result<(), Fault> {
        queries::set_password(conn, user, &self.hash, false)?;
        match self.migration_note {
            Some(detail) => {
                NewEvent::by_owner(AuditAction::PasswordMovedIn, user, client).detail(detail).write(conn)
            }
            None => Ok(()),
        }
    }
}

/// Shown on the activity page, in place of making anybody change it.
const WEAK: &str = "it is weaker than new ones must be, so choose another";

/// How a log-in ended.
enum Concluded {
    Answer(Result<Authenticated, LoginRefusal>),
    /// Not yet: the hash is another one now, and nothing has been done.
    Replaced(PasswordRecord),
}

/// In the trail, of a log-in that lost to whatever committed first.
const CHANGED_MEANWHILE: &str = "the account changed meanwhile";

impl Login {
    /// Checks the password and opens a session, or a pending log-in for those with a second factor. The row, the audit event and the cleared throttle are one
    /// transaction, in which the user row is locked: a password change or a disabling that commits first
    /// refuses this log-in, one that commits later ends it.
    ///
    /// # Errors
    /// [`Fault::Busy`] when too many passwords are being checked.
    pub async fn authenticate(
        &self,
        attempt: LoginAttempt,
        client: Client,
    ) -> Answer<Authenticated, LoginRefusal> {
        let answer = self.attempt(attempt, client).await;
        self.counters.count(LoginMethod::Password, &answer);
        answer
    }

    async fn attempt(&self, attempt: LoginAttempt, client: Client) -> Answer<Authenticated, LoginRefusal> {
        let email_key = EmailKey::of_attempt(&attempt.email);
        let (known, is_known_device) = {
            let (email_key, browser) = (email_key.clone(), client.browser);
            self.db
                .read(move |conn| {
                    let known = queries::password_record(conn, &email_key)?;
                    let is_known_device = match (&known, &browser) {
                        (Some(known), Some(browser)) => queries::is_known_device(conn, known.id, browser)?,
                        _ => false,
                    };
                    Ok((known, is_known_device))
                })
                .await?
        };
        let whose = known.as_ref().map(|known| (known.id, is_known_device));
        let attempt_keys = AttemptKeys::for_log_in(&email_key, whose, &client, &self.throttle.counter_names);
        let (checked, counted) =
            self.check_password(&attempt_keys, &attempt.password, known.as_ref()).await?;
        counted.if_fault(self.conclude_attempt(checked, known, attempt_keys, attempt, client).await)
    }

    /// Of two first log-ins at once after a change of the hash cost, one finds the other's new hash in place of the one
    /// it was checked against. So it is checked against that as well, once, with no row locked: a password that was
    /// really changed does not match it. The attempt stays counted until it is let in.
    async fn concluded(
        &self,
        checked: PasswordCheck,
        known: Option<PasswordRecord>,
        attempt_keys: AttemptKeys,
        attempt: LoginAttempt,
        client: Client,
    ) -> Answer<Authenticated, LoginRefusal> {
        let conclude = |checked, known| {
            let (login, attempt_keys, client, remember) =
                (self.clone(), attempt_keys.clone(), client.clone(), attempt.remember);
            self.sessions.write(move |tx| login.conclude(tx, checked, known, attempt_keys, remember, &client))
        };
        let now = match conclude(checked, known).await? {
            Concluded::Answer(answer) => return Ok(answer),
            Concluded::Replaced(now) => now,
        };
        let user = now.id;
        let given = Password::given(&attempt.password);
        if self.passwords.hasher.verify(given, now.hash.as_ref()).await?.matches {
            let yes = PasswordCheck::Yes { rehashed: None };
            if let Concluded::Answer(answer) = conclude(yes, Some(now)).await? {
                return Ok(answer);
            }
        }
        self.db
            .write(move |conn| {
                NewEvent::unproven(AuditAction::LogInRefused, Some(user), &client)
                    .detail(CHANGED_MEANWHILE)
                    .write(conn)
            })
            .await?;
        Ok(Err(LoginRefusal::NoMatch))
    }

    /// The one way a password is checked, for every operation that asks for one: counted, then hashed with
    /// no connection held. What comes with a right one is settled when what it was for is committed.
    pub(crate) async fn check_password(
        &self,
        attempt_keys: &AttemptKeys,
        raw: &str,
        known: Option<&PasswordRecord>,
    ) -> Result<(PasswordCheck, RefundOnFault), Fault> {
        let (throttle, taking) = (self.throttle.clone(), attempt_keys.clone());
        let (counted, alarm) = match self.db.write(move |conn| taking.count(conn, &throttle)).await? {
            AttemptDecision::Wait(wait) => {
                return Ok((PasswordCheck::TooMany(wait), RefundOnFault::nothing()));
            }
            AttemptDecision::Locked => (false, None),
            AttemptDecision::Counted(alarm) => (true, alarm),
        };
        let given = Password::given(raw);
        let again = given.as_ref().map(Password::share);
        let stored = known.and_then(|known| known.hash.as_ref());
        let checked = match stored {
            Some(hash) if counted => self.passwords.hasher.verify(given, Some(hash)).await,
            Some(hash) => self.passwords.hasher.reject(given, Some(hash)).await,
            None => self.passwords.hasher.reject(given, self.decoy_hash(attempt_keys).await?.as_ref()).await,
        };
        let verdict = match checked {
            Ok(verdict) => verdict,
            Err(busy) => {
                let undoing = attempt_keys.clone();
                self.db.write(move |conn| undoing.refund(conn, counted, true)).await?;
                return Err(busy.into());
            }
        };
        if verdict.unreadable {
            tracing::error!(
                user = known.map(|known| tracing::field::display(known.id)),
                "a stored password hash cannot be read"
            );
        }
        if verdict.too_costly {
            tracing::warn!(
                user = known.map(|known| tracing::field::display(known.id)),
                "an imported password hash is over the cost limit: the user has to reset the password"
            );
        }
        if !verdict.matches {
            if let Some(alarm) = alarm {
                self.send_alarm_notice(alarm, attempt_keys).await?;
            }
            return Ok((PasswordCheck::No, RefundOnFault::nothing()));
        }
        let right = || RefundOnFault::new(&self.db, attempt_keys);
        let rehashed = match again {
            Some(password) if verdict.outdated => {
                let weak = self.passwords.choose(raw, "", "").is_err();
                let migration_note = stored.is_some_and(PasswordHash::is_legacy);
                let migration_note = migration_note.then_some(if weak { WEAK } else { "" });
                let hash = self.passwords.hash(password).await;
                Some(Rehash { hash: right().if_fault(hash)?, migration_note })
            }
            _ => None,
        };
        Ok((PasswordCheck::Yes { rehashed }, right()))
    }

    /// Whose hash is worked out for an account that has none.
    async fn decoy_hash(&self, attempt_keys: &AttemptKeys) -> Result<Option<PasswordHash>, Fault> {
        let at = Uuid::from_bytes(attempt_keys.account_digest());
        self.db.read(move |conn| queries::decoy_hash(conn, at)).await
    }

    fn conclude(
        &self,
        tx: &mut SessionTx<'_>,
        checked: PasswordCheck,
        known: Option<PasswordRecord>,
        attempt_keys: AttemptKeys,
        remember: bool,
        client: &Client,
    ) -> Result<Concluded, Fault> {
        let subject = known.as_ref().map(|known| known.id);
        let refused = |tx: &mut SessionTx<'_>, detail: &str| {
            NewEvent::unproven(AuditAction::LogInRefused, subject, client).detail(detail).write(tx)
        };
        let (rehashed, known) = match (checked, known) {
            (PasswordCheck::Yes { rehashed }, Some(known)) => (rehashed, known),
            // Not in the trail: whoever hammers would write it full.
            (PasswordCheck::TooMany(wait), _) => {
                return Ok(Concluded::Answer(Err(LoginRefusal::TooMany(wait))));
            }
            _ => {
                refused(tx, "")?;
                return Ok(Concluded::Answer(Err(LoginRefusal::NoMatch)));
            }
        };
        let Some(now) = queries::lock_password_hash(tx, known.id)? else {
            refused(tx, CHANGED_MEANWHILE)?;
            return Ok(Concluded::Answer(Err(LoginRefusal::NoMatch)));
        };
        if known.hash.as_ref().map(PasswordHash::as_str) != Some(now.as_str()) {
            return Ok(Concluded::Replaced(PasswordRecord { hash: Some(now), ..known }));
        }
        attempt_keys.reset(tx)?;
        if let Some(rehashed) = &rehashed {
            rehashed.keep(tx, known.id, client)?;
        }
        let user = known.id;
        match rehashed.map(|rehashed| rehashed.hash).or(known.hash) {
            Some(hash) if crate::factors::queries::has_second_factor(tx, user)? => {
                let pending = PendingLogin { user, proven: fingerprint(&hash), remember };
                let key = self.create_pending_login(tx, &pending, client)?;
                Ok(Concluded::Answer(Ok(Authenticated::PendingLogin(key))))
            }
            _ => {
                let opened = self.open_session(tx, user, LoginMethod::Password, remember, client)?;
                Ok(Concluded::Answer(Ok(Authenticated::Session(opened))))
            }
        }
    }

    /// The one way a session begins, whatever `user` has proven themselves with: that is `factor`. The caller has
    /// locked the user's row and seen that they may log in.
    pub(crate) fn open_session(
        &self,
        tx: &mut SessionTx<'_>,
        user: UserId,
        factor: LoginMethod,
        remember: bool,
        client: &Client,
    ) -> Result<OpenedSession, Fault> {
        let is_first = !queries::has_logged_in(tx, user)?;
        let restored = self.cleaner.cancel_deletion(tx, user, client)?;
        queries::record_login(tx, user)?;
        let device = self.remember_device(tx, user, client)?;
        let opened = sessions::Login {
            principal: user.principal(),
            remember,
            factor: factor.as_str().to_owned(),
            address: client.address.clone(),
            user_agent: client.user_agent.clone(),
            device: Some(device.hash),
        };
        let (key, handle, ended) = self.sessions.open_counting(tx, &opened)?;
        NewEvent::by_owner(AuditAction::LoggedIn, user, client).session(handle).write(tx)?;
        // Whoever has just registered knows that they did.
        if device.is_new && !is_first {
            let ended_oldest = (ended > 0).then(|| self.sessions.policy().per_principal);
            self.notify_new_device(tx, user, (handle, device.hash), ended_oldest, client)?;
        }
        Ok(OpenedSession { user, key, remember, device_cookie: device.cookie, deletion_cancelled })
    }
}
