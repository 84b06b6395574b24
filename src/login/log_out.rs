//! Taking sessions back: one's own, one by one or all others.

use crate::audit::{Act, Entry};
use crate::cleanup::{Cleanup, Request};
use crate::db::Fault;
use crate::identity::{Client, LiveUser};
use crate::login::Login;
use latchkey_sessions::{Handle, SessionRecord};

impl Login {
    /// Ends this session. Ending it twice is fine.
    pub async fn log_out(&self, live: LiveUser, client: Client) -> Result<(), Fault> {
        let login = self.clone();
        self.sessions
            .write(move |change| {
                let (user, handle) = (live.owner.id, live.record.handle);
                let request = Request::new(Cleanup::LogOut, user, &client).by(Some(user)).session(handle);
                if login.cleaner.clean_up(change, &request)?.sessions > 0 {
                    Entry::own(Act::LoggedOut, user, &client).session(handle).write(change)?;
                }
                Ok(())
            })
            .await
    }

    /// The owner's live sessions, last seen first.
    pub async fn own_sessions(&self, live: &LiveUser) -> Result<Vec<SessionRecord>, Fault> {
        let list = self.sessions.list_of(live.owner.id.principal()).await?;
        Ok(list.at(live.moment()).cloned().collect())
    }

    /// Ends one of the owner's sessions; `false` when there is no such live session of theirs.
    pub async fn revoke_own(&self, live: LiveUser, handle: Handle, client: Client) -> Result<bool, Fault> {
        let login = self.clone();
        self.sessions
            .write(move |change| {
                let (user, here) = (live.owner.id, live.record.handle);
                let kind = if handle == here { Cleanup::LogOut } else { Cleanup::EndSession };
                crate::identity::queries::lock_user(change, user)?;
                let detail = login.ended_session(change, handle, Some(here))?;
                let request = Request::new(kind, user, &client).by(Some(user)).session(handle).here();
                let ended = login.cleaner.clean_up(change, &request)?.sessions > 0;
                if ended {
                    Entry::own(Act::SessionRevoked, user, &client)
                        .session(handle)
                        .detail(&detail)
                        .write(change)?;
                }
                Ok(ended)
            })
            .await
    }

    /// Ends every session of the owner but this one; answers how many.
    pub async fn revoke_others(&self, live: LiveUser, client: Client) -> Result<usize, Fault> {
        let login = self.clone();
        self.sessions
            .write(move |change| {
                let (user, here) = (live.owner.id, live.record.handle);
                crate::identity::queries::lock_user(change, user)?;
                let request =
                    Request::new(Cleanup::EndOthers, user, &client).by(Some(user)).session(here).here();
                let ended = login.cleaner.clean_up(change, &request)?.sessions;
                if ended > 0 {
                    Entry::own(Act::SessionsRevoked, user, &client)
                        .session(here)
                        .detail(&format!("{ended} others"))
                        .write(change)?;
                }
                Ok(ended)
            })
            .await
    }
}
