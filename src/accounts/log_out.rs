//! Taking sessions back: one's own, one by one or all others.

use super::audit::Entry;
use super::{Accounts, Act, Client, LiveUser};
use crate::db::Fault;
use crate::sessions::{Handle, Record};

impl Accounts {
    /// Ends this session. Ending it twice is fine.
    pub async fn log_out(&self, live: LiveUser, client: Client) -> Result<(), Fault> {
        let sessions = self.sessions.clone();
        self.sessions
            .write(move |change| {
                let (user, handle) = (live.owner.id, live.record.handle);
                if sessions.revoke(change, handle, Some(user.principal()))?.is_some() {
                    Entry::own(Act::LoggedOut, user, &client).session(handle).write(change)?;
                }
                Ok(())
            })
            .await
    }

    /// The owner's live sessions, last seen first.
    pub async fn own_sessions(&self, live: &LiveUser) -> Result<Vec<Record>, Fault> {
        let list = self.sessions.list_of(live.owner.id.principal()).await?;
        Ok(list.at(live.moment()).cloned().collect())
    }

    /// Ends one of the owner's sessions; `false` when there is no such live session of theirs.
    pub async fn revoke_own(&self, live: LiveUser, handle: Handle, client: Client) -> Result<bool, Fault> {
        let accounts = self.clone();
        self.sessions
            .write(move |change| {
                let (user, here) = (live.owner.id, live.record.handle);
                let ended = accounts.end_session(change, handle, Some(user.principal()), Some(here))?;
                if let Some((_, detail)) = &ended {
                    Entry::own(Act::SessionRevoked, user, &client)
                        .session(handle)
                        .detail(detail)
                        .write(change)?;
                }
                Ok(ended.is_some())
            })
            .await
    }

    /// Ends every session of the owner but this one; answers how many.
    pub async fn revoke_others(&self, live: LiveUser, client: Client) -> Result<usize, Fault> {
        let sessions = self.sessions.clone();
        self.sessions
            .write(move |change| {
                let (user, here) = (live.owner.id, live.record.handle);
                let ended = sessions.revoke_all(change, user.principal(), Some(here))?;
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
