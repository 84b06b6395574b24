//! Report a session with a mailed link ("This was not me"): ends what the intruder may have opened, and starts a reset.

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest, OwnerReset};
use crate::db::Fault;
use crate::identity::{Client, UserId};
use crate::login::ended_session_detail;
use crate::notices::{LinkPurpose, links};
use crate::recovery::Recovery;
use crate::secret::Token;
use latchkey_sessions::Handle;

impl Recovery {
    /// Removes the password, which the intruder may know, ends every session, and removes what was added since the
    /// reported session was opened; mails a reset link. `None` if the link is dead.
    pub async fn report_session(&self, token: &str, client: Client) -> Result<Option<OwnerReset>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let recovery = self.clone();
        self.sessions
            .write(move |tx| {
                let Some(link) = links::consume(tx, LinkPurpose::NotMe, &token_hash)? else {
                    return Ok(None);
                };
                let user = UserId(link.user);
                if let Some(session) = link.session.map(Handle) {
                    let detail = ended_session_detail(&recovery.sessions, tx, session, None)?;
                    NewEvent::unproven(AuditAction::SessionDisowned, Some(user), &client)
                        .session(session)
                        .detail(&detail)
                        .write(tx)?;
                }
                let request = CleanupRequest::new(Cleanup::ReportSession, user, &client).since(link.began());
                let removed = recovery.cleaner.clean_up(tx, &request)?;
                if removed.factors > 0 {
                    NewEvent::unproven(AuditAction::FactorDisowned, Some(user), &client).write(tx)?;
                }
                recovery.cleaner.mail_reset_to_owner(tx, user, link.email.as_deref(), &client).map(Some)
            })
            .await
    }
}
