//! The state of a run after a step: the verdicts on every credential, and what the server stores.

use super::queries;
use super::rows::{SessionRow, TokenRow};
use super::{Comparison, Credentials, DenyList, Holder, Lab, Run};
use crate::db::Fault;

/// Both sides, as they are now.
pub struct Snapshot {
    pub comparisons: Vec<Comparison>,
    pub sessions: Vec<SessionRow>,
    pub tokens: Vec<TokenRow>,
    /// Denied tokens in the memory of the shop.
    pub denied_in_memory: usize,
}

impl Lab {
    /// Checks the credentials of the browser and of the thief at every service, and reads what is stored.
    ///
    /// # Errors
    /// Any [`Fault`] of the database: no verdict, so no access.
    pub async fn snapshot(&self, run: &Run, credentials: &Credentials) -> Result<Snapshot, Fault> {
        let browser = (Holder::Browser, &credentials.browser);
        let thief = credentials.copy.as_ref().map(|copy| (Holder::Thief, copy));
        let mut comparisons = Vec::new();
        for (holder, set) in [browser].into_iter().chain(thief) {
            for service in run.services() {
                comparisons.push(self.compare(run, holder, *service, set).await?);
            }
        }
        let id = run.id;
        let (sessions, tokens) = self
            .db
            .read(move |conn| Ok((queries::session_rows_of(conn, id)?, queries::tokens_of(conn, id)?)))
            .await?;
        let denied_in_memory = match run.deny_list {
            DenyList::Memory => self.memory_deny_list.count(run.id),
            DenyList::None | DenyList::Database => 0,
        };
        Ok(Snapshot { comparisons, sessions, tokens, denied_in_memory })
    }
}
