//! "This was not me": ends everything that another person may have opened, and begins a reset.

use super::audit::Entry;
use super::cleanup::{Cleanup, Request};
use super::links::{self, Purpose};
use super::{Accounts, Act, Client, UserId};
use crate::db::Fault;
use crate::secret::Token;
use latchkey_sessions::Handle;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disowned {
    /// A reset link is on its way.
    ResetMailed,
    /// The account goes by another address by now, where a link would reach whoever changed that. The letter about
    /// the change has the way back.
    AddressChanged,
}

impl Accounts {
    /// Another person was logged in and may know the password. Removes the password, everything it opened,
    /// and what was added since that session began. Mails a reset link. `None` when the link is dead.
    pub async fn not_me(&self, token: &str, client: Client) -> Result<Option<Disowned>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let accounts = self.clone();
        self.sessions
            .write(move |change| {
                let Some(link) = links::take(change, Purpose::NotMe, &token_hash)? else { return Ok(None) };
                let user = UserId(link.user);
                if let Some(session) = link.session.map(Handle) {
                    let detail = accounts.ended_session(change, session, None)?;
                    Entry::nobody(Act::SessionDisowned, Some(user), &client)
                        .session(session)
                        .detail(&detail)
                        .write(change)?;
                }
                let request = Request::new(Cleanup::NotMe, user, &client).since(link.began());
                let removed = accounts.clean_up(change, &request)?;
                if removed.factors > 0 {
                    Entry::nobody(Act::FactorDisowned, Some(user), &client).write(change)?;
                }
                accounts.mail_reset_to_owner(change, user, link.email.as_deref(), &client).map(Some)
            })
            .await
    }
}
