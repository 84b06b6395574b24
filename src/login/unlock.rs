//! A password that was guessed at too often: its owner is told, and unlocks it (NIST SP 800-63B-4 §3.2.2;
//! docs/decisions/lock-out.md).

use uuid::Uuid;

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::db::Fault;
use crate::identity::{Answer, Client, Email, UserId};
use crate::login::Login;
use crate::login::known_devices::DeviceCookie;
use crate::notices::{LinkDetails, LinkPurpose, Notice, links};
use crate::secret::Token;
use crate::throttle::{AttemptKeys, Lane, OwnerAlert, UNKNOWN_BROWSER};
use crate::users::AdminRefusal;

impl Login {
    /// Wrong passwords began to pile up, or were one too many: the owner hears of it. For an account that does not
    /// exist the same work is done for nobody, so that the time it takes tells nothing.
    pub(crate) async fn send_alarm_notice(
        &self,
        alarm: OwnerAlert,
        attempt_keys: &AttemptKeys,
    ) -> Result<(), Fault> {
        if !self.mailer.delivers() && matches!(alarm, OwnerAlert::Guessing { .. }) {
            return Ok(());
        }
        let (login, user, client) = (self.clone(), attempt_keys.user(), attempt_keys.client.clone());
        self.db
            .write(move |conn| {
                let Some(user) = user else {
                    // The same statements as for an account that exists.
                    let absent = UserId(Uuid::nil());
                    crate::identity::queries::recipient(conn, absent)?;
                    crate::notices::queries::delete_links(conn, absent, &[LinkPurpose::Unlock])?;
                    return login.notices.send_decoy(conn);
                };
                let Some(owner) = crate::identity::queries::recipient(conn, user)? else { return Ok(()) };
                let unlock =
                    login.notices.create_link(conn, user, LinkPurpose::Unlock, LinkDetails::default())?;
                let notice = match alarm {
                    OwnerAlert::Guessing { failures } => Notice::RepeatedFailures { failures, unlock },
                    OwnerAlert::Locked { failures, unknown_browser } => {
                        NewEvent::unproven(AuditAction::PasswordLocked, Some(user), &client).write(conn)?;
                        Notice::PasswordLocked { failures, unknown_browser, unlock }
                    }
                };
                login.notices.send_notice(conn, &owner, &notice, &client)
            })
            .await
    }

    /// Wrong passwords count from nought again. Whoever holds the link reads the owner's mail, so this browser is known
    /// from now on: strangers who go on guessing cannot keep the owner out. `None` when the link is dead.
    pub async fn unlock(&self, token: &str, client: Client) -> Result<Option<DeviceCookie>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let login = self.clone();
        self.sessions
            .write(move |tx| {
                let Some(link) = links::consume(tx, LinkPurpose::Unlock, &token_hash)? else {
                    return Ok(None);
                };
                let user = UserId(link.user);
                let Some(owner) = crate::identity::queries::recipient(tx, user)? else { return Ok(None) };
                AttemptKeys::reset_all(
                    tx,
                    user,
                    Email::stored(&owner.email).key(),
                    &login.throttle.counter_names,
                )?;
                login.cleaner.clean_up(tx, &CleanupRequest::new(Cleanup::Unlock, user, &client))?;
                let device = login.remember_device(tx, user, &client)?;
                NewEvent::unproven(AuditAction::PasswordUnlocked, Some(user), &client).write(tx)?;
                Ok(Some(device.cookie))
            })
            .await
    }

    /// The same by the operator.
    pub async fn unlock_user(&self, user: UserId, client: Client) -> Answer<(), AdminRefusal> {
        let login = self.clone();
        self.sessions
            .write(move |tx| {
                if !crate::identity::queries::lock_user(tx, user)? {
                    return Ok(Err(AdminRefusal::NoSuchUser));
                }
                let Some(email) = crate::identity::queries::email_of(tx, user)? else {
                    return Ok(Err(AdminRefusal::NoSuchUser));
                };
                AttemptKeys::reset_all(tx, user, email.key(), &login.throttle.counter_names)?;
                login.cleaner.clean_up(tx, &CleanupRequest::new(Cleanup::Unlock, user, &client))?;
                NewEvent::by_admin(AuditAction::PasswordUnlocked, None, user, &client).write(tx)?;
                Ok(Ok(()))
            })
            .await
    }

    /// Whether the password opens nothing but browsers that are known.
    pub(crate) fn is_locked(&self, conn: &mut diesel::pg::PgConnection, user: UserId) -> Result<bool, Fault> {
        Ok(crate::throttle::queries::failure_counts(conn, user, UNKNOWN_BROWSER)?
            .left(&Lane::Outside, &self.throttle.limits)
            == 0)
    }
}
