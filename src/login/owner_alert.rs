//! Notify the owner of an account whose password is being guessed (docs/decisions/lock-out.md).

use uuid::Uuid;

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::identity::UserId;
use crate::login::Login;
use crate::notices::{LinkDetails, LinkPurpose, Notice};
use crate::throttle::{AttemptKeys, OwnerAlert};

impl Login {
    /// Notifies the owner of repeated wrong passwords, or that the password was locked. For an account that does not
    /// exist the same statements run, so that the time does not reveal whether it exists.
    pub(super) async fn alert_owner(
        &self,
        alert: OwnerAlert,
        attempt_keys: &AttemptKeys,
    ) -> Result<(), Fault> {
        if !self.mailer.delivers() && matches!(alert, OwnerAlert::Guessing { .. }) {
            return Ok(());
        }
        let (login, user, client) = (self.clone(), attempt_keys.user(), attempt_keys.client.clone());
        self.db
            .write(move |conn| {
                let Some(user) = user else {
                    let absent = UserId(Uuid::nil());
                    crate::identity::queries::recipient(conn, absent)?;
                    crate::notices::queries::delete_links(conn, absent, &[LinkPurpose::Unlock])?;
                    return login.notices.send_decoy(conn);
                };
                let Some(owner) = crate::identity::queries::recipient(conn, user)? else { return Ok(()) };
                let unlock =
                    login.notices.create_link(conn, user, LinkPurpose::Unlock, LinkDetails::default())?;
                let notice = match alert {
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
}
