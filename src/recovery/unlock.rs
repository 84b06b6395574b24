//! Unlock a password after too many wrong ones (NIST SP 800-63B-4 §3.2.2; docs/decisions/lock-out.md).

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::db::Fault;
use crate::identity::{Client, Email, UserId};
use crate::login::DeviceCookie;
use crate::notices::{LinkPurpose, links};
use crate::recovery::Recovery;
use crate::secret::Token;
use crate::throttle::AttemptKeys;

impl Recovery {
    /// Resets the counts of wrong passwords. The link was mailed to the owner, so this browser becomes a known device:
    /// attackers who go on guessing cannot lock the owner out again. `None` if the link is dead.
    pub async fn unlock(&self, token: &str, client: Client) -> Result<Option<DeviceCookie>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let recovery = self.clone();
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
                    &recovery.throttle.counter_names,
                )?;
                recovery.cleaner.clean_up(tx, &CleanupRequest::new(Cleanup::Unlock, user, &client))?;
                let device = recovery.login.remember_device(tx, user, &client)?;
                NewEvent::unproven(AuditAction::PasswordUnlocked, Some(user), &client).write(tx)?;
                Ok(Some(device.cookie))
            })
            .await
    }
}
