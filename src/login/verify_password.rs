//! Verify a password: the only code that does, for every operation that asks for one. The attempt is counted first, then
//! the password is hashed while no connection is held.

use diesel::pg::PgConnection;
use uuid::Uuid;

use crate::audit::{AuditAction, DetailReason, NewEvent};
use crate::db::{Failed, Fault, refuse};
use crate::identity::{Client, LiveUser, UserId, UserSession as _};
use crate::login::queries::PasswordRecord;
use crate::login::{Login, queries};
use crate::passwords::{Password, PasswordHash};
use crate::throttle::{AttemptDecision, AttemptKeys, OwnerAlert, RefundOnFault, RetryAfter};

/// An attempt that was counted, or that is answered like a wrong password because no attempt is left.
pub(crate) struct CountedAttempt {
    is_locked: bool,
    /// The notice to send if the password is wrong.
    alert: Option<OwnerAlert>,
}

/// A password that matches.
pub(crate) struct VerifiedPassword {
    /// If the stored hash is outdated.
    pub rehash: Option<Rehash>,
    /// Refunds the attempt if the operation that asked for the password faults.
    pub refund: RefundOnFault,
}

/// The same password, hashed with the current parameters.
#[derive(Clone)]
pub(crate) struct Rehash {
    hash: PasswordHash,
    /// Whether the old hash was imported.
    is_imported: bool,
    /// Whether the password is weaker than new ones must be. The user is told, and not forced to change it.
    is_weak: bool,
}

impl Rehash {
    /// Stores it in place of the old hash, and gives it. The caller has locked the user's row.
    pub fn store(
        self,
        conn: &mut PgConnection,
        user: UserId,
        client: &Client,
    ) -> Result<PasswordHash, Fault> {
        queries::set_password(conn, user, &self.hash, false)?;
        if self.is_imported {
            let event = NewEvent::by_owner(AuditAction::PasswordMovedIn, user, client);
            let event = if self.is_weak { event.reason(DetailReason::WeakPassword) } else { event };
            event.write(conn)?;
        }
        Ok(self.hash)
    }
}

impl Login {
    /// Counts the attempt before the password is verified, so that parallel guesses are all counted.
    pub(crate) async fn count_attempt(
        &self,
        keys: &AttemptKeys,
    ) -> Result<CountedAttempt, Failed<RetryAfter>> {
        let (throttle, counted) = (self.throttle.clone(), keys.clone());
        match self.db.write(move |conn| counted.count(conn, &throttle)).await? {
            AttemptDecision::Wait(wait) => refuse(wait),
            AttemptDecision::Locked => Ok(CountedAttempt { is_locked: true, alert: None }),
            AttemptDecision::Counted(alert) => Ok(CountedAttempt { is_locked: false, alert }),
        }
    }

    /// `None` if the password is wrong. A locked or unknown account takes as long as a wrong password.
    pub(crate) async fn verify_password(
        &self,
        keys: &AttemptKeys,
        attempt: CountedAttempt,
        raw: &str,
        record: Option<&PasswordRecord>,
    ) -> Result<Option<VerifiedPassword>, Fault> {
        let given = Password::given(raw);
        let again = given.as_ref().map(Password::share);
        let stored = record.and_then(|record| record.hash.as_ref());
        let checked = match stored {
            Some(hash) if !attempt.is_locked => self.passwords.hasher.verify(given, Some(hash)).await,
            Some(hash) => self.passwords.hasher.reject(given, Some(hash)).await,
            None => self.passwords.hasher.reject(given, self.decoy_hash(keys).await?.as_ref()).await,
        };
        let verdict = match checked {
            Ok(verdict) => verdict,
            Err(busy) => {
                let (refunded, counted) = (keys.clone(), !attempt.is_locked);
                self.db.write(move |conn| refunded.refund(conn, counted, true)).await?;
                return Err(busy.into());
            }
        };
        let user = record.map(|record| tracing::field::display(record.user));
        if verdict.unreadable {
            tracing::error!(user, "a stored password hash cannot be read");
        }
        if verdict.too_costly {
            tracing::warn!(
                user,
                "an imported password hash is over the cost limit: the user has to reset the password"
            );
        }
        if !verdict.matches {
            if let Some(alert) = attempt.alert {
                self.alert_owner(alert, keys).await?;
            }
            return Ok(None);
        }
        let refund = || RefundOnFault::new(&self.db, keys);
        let rehash = match again {
            Some(password) if verdict.outdated => {
                let is_weak = self.passwords.choose(raw, "", "").is_err();
                let is_imported = stored.is_some_and(PasswordHash::is_legacy);
                let hash = self.passwords.hash(password).await;
                Some(Rehash { hash: refund().if_fault(hash)?, is_imported, is_weak })
            }
            _ => None,
        };
        Ok(Some(VerifiedPassword { rehash, refund: refund() }))
    }

    /// The record of a logged-in user, and the counters for an attempt in that session. They are separate from those of
    /// the log-in page: an attacker who guesses there must not stop the owner from ending the attacker's session.
    pub(crate) async fn own_password_record(
        &self,
        live: &LiveUser,
        client: &Client,
    ) -> Result<(PasswordRecord, AttemptKeys), Fault> {
        let (user, browser) = (live.user_id(), client.browser);
        let (hash, is_known_device) = self
            .db
            .read(move |conn| {
                let is_known = match &browser {
                    Some(browser) => queries::is_known_device(conn, user, browser)?,
                    None => false,
                };
                Ok((queries::password_hash(conn, user)?, is_known))
            })
            .await?;
        let keys = AttemptKeys::for_session(
            user,
            live.record.handle,
            is_known_device,
            client,
            &self.throttle.counter_names,
        );
        Ok((PasswordRecord { user, hash }, keys))
    }

    /// Picks a decoy hash, so that rejecting an unknown account takes as long as rejecting a known one.
    async fn decoy_hash(&self, keys: &AttemptKeys) -> Result<Option<PasswordHash>, Fault> {
        let position = Uuid::from_bytes(keys.account_digest());
        self.db.read(move |conn| queries::decoy_hash(conn, position)).await
    }
}
