//! Log out, and end other sessions of one's own.

use crate::audit::{AuditAction, EndedOf, EventDetail, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::db::Fault;
use crate::identity::{Client, LiveUser, UserId, UserSession as _};
use crate::login::Login;
use crate::login::ended_session::ended_session_detail;
use latchkey_sessions::{Handle, SessionRecord, SessionTx};

impl Login {
    /// Ends this session; does nothing if it has ended already.
    pub async fn log_out(&self, live: LiveUser, client: Client) -> Result<(), Fault> {
        let login = self.clone();
        self.sessions.write(move |tx| login.end_replaced(tx, Some(&live), &client)).await
    }

    /// Ends the session whose key the browser is about to lose: in the transaction of the log-in that replaces it, so that
    /// both happen or neither does.
    pub(super) fn end_replaced(
        &self,
        tx: &mut SessionTx<'_>,
        replaced: Option<&LiveUser>,
        client: &Client,
    ) -> Result<(), Fault> {
        let Some(live) = replaced else { return Ok(()) };
        let (user, handle) = (live.user_id(), live.record.handle);
        let request = CleanupRequest::new(Cleanup::LogOut, user, client).by(Some(user)).session(handle);
        if self.cleaner.clean_up(tx, &request)?.sessions > 0 {
            NewEvent::by_owner(AuditAction::LoggedOut, user, client).session(handle).write(tx)?;
        }
        Ok(())
    }

    /// The user's live sessions, last seen first.
    pub async fn own_sessions(&self, live: &LiveUser) -> Result<Vec<SessionRecord>, Fault> {
        let list = self.sessions.list_of(live.record.principal).await?;
        Ok(list.at(live.moment()).cloned().collect())
    }

    /// Ends one of the user's sessions; `false` if the user has no such live session.
    pub async fn revoke_own_session(
        &self,
        live: LiveUser,
        handle: Handle,
        client: Client,
    ) -> Result<bool, Fault> {
        self.revoke_session_of(live.user_id(), Some(live.record.handle), handle, client).await
    }

    /// Ends every session of the user except this one; returns how many.
    pub async fn revoke_other_sessions(&self, live: LiveUser, client: Client) -> Result<usize, Fault> {
        self.revoke_sessions_except(live.user_id(), Some(live.record.handle), client).await
    }

    /// The same for a user who acts in the session `here`, or with a token.
    pub async fn revoke_session_of(
        &self,
        user: UserId,
        here: Option<Handle>,
        handle: Handle,
        client: Client,
    ) -> Result<bool, Fault> {
        let login = self.clone();
        self.sessions
            .write(move |tx| {
                let kind = if here == Some(handle) { Cleanup::LogOut } else { Cleanup::EndSession };
                crate::identity::queries::lock_user(tx, user)?;
                let detail = ended_session_detail(&login.sessions, tx, handle, here)?;
                let request =
                    CleanupRequest::new(kind, user, &client).by(Some(user)).session(handle).in_this_browser();
                let ended = login.cleaner.clean_up(tx, &request)?.sessions > 0;
                if ended {
                    NewEvent::by_owner(AuditAction::SessionRevoked, user, &client)
                        .session(handle)
                        .detail(&detail)
                        .write(tx)?;
                }
                Ok(ended)
            })
            .await
    }

    /// Ends every session of the user except `kept`, which is that of the request or of its token; returns how many.
    pub async fn revoke_sessions_except(
        &self,
        user: UserId,
        kept: Option<Handle>,
        client: Client,
    ) -> Result<usize, Fault> {
        let login = self.clone();
        self.sessions
            .write(move |tx| {
                crate::identity::queries::lock_user(tx, user)?;
                let request = CleanupRequest::new(Cleanup::EndOthers, user, &client)
                    .by(Some(user))
                    .session(kept)
                    .in_this_browser();
                let ended = login.cleaner.clean_up(tx, &request)?.sessions;
                if ended > 0 {
                    let event = NewEvent::by_owner(AuditAction::SessionsRevoked, user, &client);
                    NewEvent { session: kept, ..event }
                        .data(&EventDetail::EndedSessions { ended, whose: EndedOf::UserOthers })
                        .write(tx)?;
                }
                Ok(ended)
            })
            .await
    }
}
