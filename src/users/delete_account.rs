//! Delete one's own account, after a period in which it can be cancelled (docs/decisions/deleted-people.md).

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::db::{Failed, Fault, refuse};
use crate::identity::{Client, Email, LiveUser, UserId, UserSession as _};
use crate::notices::Notice;
use crate::users::{Users, queries};
use latchkey_sessions::SessionTx;

/// Users deleted in one run of the maintenance, each in its own transaction.
const MAX_DELETIONS: usize = 200;

#[derive(Debug, PartialEq, Eq)]
pub enum DeleteAccountRefusal {
    /// The typed address is not the user's.
    AddressMismatch,
    LastAdmin,
}

impl Users {
    /// Marks the account for deletion, ends every session and every link at once, and notifies the owner.
    pub async fn delete_account(
        &self,
        live: LiveUser,
        typed: String,
        client: Client,
    ) -> Result<(), Failed<DeleteAccountRefusal>> {
        let users = self.clone();
        self.sessions
            .write_or_refuse(move |tx| users.mark_for_deletion(tx, live.user_id(), &typed, &client))
            .await
    }

    fn mark_for_deletion(
        &self,
        tx: &mut SessionTx<'_>,
        user: UserId,
        typed: &str,
        client: &Client,
    ) -> Result<(), Failed<DeleteAccountRefusal>> {
        // Locked before the user, as in every change of administrators: of two who delete their accounts at the same
        // time, one waits for the other.
        let admins = queries::lock_admins(tx)?;
        if !crate::identity::queries::lock_user(tx, user)? {
            return Ok(());
        }
        let Some(person) = crate::identity::queries::recipient(tx, user)? else { return Ok(()) };
        if !Email::parse(typed).is_ok_and(|typed| typed.key() == Email::stored(&person.email).key()) {
            return refuse(DeleteAccountRefusal::AddressMismatch);
        }
        if admins == [user] {
            return refuse(DeleteAccountRefusal::LastAdmin);
        }
        let Some(until) = queries::set_delete_after(tx, user, self.leaving.grace.std())? else {
            return Ok(());
        };
        self.cleaner.clean_up(tx, &CleanupRequest::new(Cleanup::Delete, user, client).by(Some(user)))?;
        NewEvent::by_owner(AuditAction::DeletionRequested, user, client).write(tx)?;
        self.notices.send_notice(tx, &person, &Notice::Leaving { until }, client)?;
        Ok(())
    }

    /// Deletes the users whose period has passed; returns how many. What remains in the audit trail is pseudonymous.
    pub(crate) async fn delete_due_accounts(&self) -> Result<usize, Fault> {
        for deleted in 0..MAX_DELETIONS {
            let users = self.clone();
            let one = self
                .sessions
                .write(move |tx| {
                    let Some((user, email)) = queries::lock_due_account(tx)? else { return Ok(false) };
                    users.sessions.delete_all(tx, user.principal())?;
                    users.mailer.forget(tx, &email.key().spellings())?;
                    queries::delete_user(tx, user, email.key())?;
                    NewEvent::by_admin(AuditAction::Deleted, None, user, &Client::operator()).write(tx)?;
                    queries::erase_from_audit_trail(tx, user, email.key())?;
                    Ok(true)
                })
                .await?;
            if !one {
                return Ok(deleted);
            }
        }
        Ok(MAX_DELETIONS)
    }
}
