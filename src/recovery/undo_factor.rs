//! Undo an added factor, with the link of the notice about it. A reset alone would not help: it keeps second factors, so
//! an attacker who added one would keep the account.

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest, OwnerReset};
use crate::db::Fault;
use crate::identity::{Client, UserId};
use crate::notices::{LinkPurpose, links};
use crate::recovery::Recovery;
use crate::secret::Token;

impl Recovery {
    /// Removes every factor and recovery code that was added since the notice, removes the password, ends every session,
    /// and mails a reset link. `None` if the link is dead.
    pub async fn undo_factor(&self, token: &str, client: Client) -> Result<Option<OwnerReset>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let recovery = self.clone();
        self.sessions
            .write(move |tx| {
                let Some(link) = links::consume(tx, LinkPurpose::UndoFactor, &token_hash)? else {
                    return Ok(None);
                };
                let user = UserId(link.user);
                let request = CleanupRequest::new(Cleanup::UndoFactor, user, &client).since(link.began());
                recovery.cleaner.clean_up(tx, &request)?;
                NewEvent::unproven(AuditAction::FactorDisowned, Some(user), &client).write(tx)?;
                recovery.cleaner.mail_reset_to_owner(tx, user, link.email.as_deref(), &client).map(Some)
            })
            .await
    }
}
