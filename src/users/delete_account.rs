//! Leaving: delete your account, think better of it, or be gone (docs/decisions/deleted-people.md).

use time::macros::format_description;

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::db::Fault;
use crate::identity::{Answer, Client, Email, LiveUser, UserId};
use crate::notices::Notice;
use crate::users::{Users, queries};
use latchkey_sessions::SessionTx;

/// People deleted in one upkeep, each in a transaction of its own.
const MAX_DELETIONS: usize = 200;

#[derive(Debug, PartialEq, Eq)]
pub enum DeleteAccountRefusal {
    /// What was typed is not their address.
    AddressMismatch,
    /// Without them nobody could administer.
    LastAdmin,
}

impl Users {
    /// Marks the account for deletion, ends every session and every link at once, and tells its owner.
    pub async fn delete_account(
        &self,
        live: LiveUser,
        typed: String,
        client: Client,
    ) -> Answer<(), DeleteAccountRefusal> {
        let users = self.clone();
        self.sessions.write(move |tx| users.mark_for_deletion(tx, live.owner.id, &typed, &client)).await
    }

    fn mark_for_deletion(
        &self,
        tx: &mut SessionTx<'_>,
        user: UserId,
        typed: &str,
        client: &Client,
    ) -> Answer<(), DeleteAccountRefusal> {
        // Before the user, as everybody who changes administrators does: two who leave at once wait for each other.
        let admins = queries::lock_admins(tx)?;
        if !crate::identity::queries::lock_user(tx, user)? {
            return Ok(Ok(()));
        }
        let Some(person) = crate::identity::queries::recipient(tx, user)? else { return Ok(Ok(())) };
        if !Email::parse(typed).is_ok_and(|typed| typed.key() == Email::stored(&person.email).key()) {
            return Ok(Err(DeleteAccountRefusal::AddressMismatch));
        }
        if admins == [user] {
            return Ok(Err(DeleteAccountRefusal::LastAdmin));
        }
        let Some(until) = queries::set_delete_after(tx, user, self.leaving.grace.std())? else {
            return Ok(Ok(()));
        };
        self.cleaner.clean_up(tx, &CleanupRequest::new(Cleanup::Delete, user, client).by(Some(user)))?;
        NewEvent::by_owner(AuditAction::DeletionRequested, user, client).write(tx)?;
        let until = until
            .format(format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC"))
            .map_err(Fault::bug)?;
        self.notices.send_notice(tx, &person, &Notice::Leaving { until }, client)?;
        Ok(Ok(()))
    }

    /// Deletes whose time to think is over; answers how many. What the trail keeps of them is pseudonymous.
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
