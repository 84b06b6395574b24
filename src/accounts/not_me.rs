//! "This was not me": ends the session a letter told of, and begins a reset.

use super::audit::Entry;
use super::links::{self, Purpose};
use super::{Accounts, Act, Client, UserId, queries};
use crate::db::Fault;
use crate::secret::Token;
use crate::sessions::Handle;

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
    /// Ends that one session, forgets its browser and the password that opened it, and mails a reset link; `None` when the link is dead.
    pub async fn not_me(&self, token: &str, client: Client) -> Result<Option<Disowned>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let accounts = self.clone();
        self.sessions
            .write(move |change| {
                let Some(link) = links::take(change, Purpose::NotMe, &token_hash)? else { return Ok(None) };
                let user = UserId(link.user);
                if let Some(session) = link.session.map(Handle) {
                    let ended = accounts.end_session(change, session, Some(user.principal()), None)?;
                    let detail = ended.map(|(_, detail)| detail).unwrap_or_default();
                    Entry::nobody(Act::SessionDisowned, Some(user), &client)
                        .session(session)
                        .detail(&detail)
                        .write(change)?;
                }
                if let Some(browser) = &link.browser {
                    queries::forget_browsers(change, user, Some(browser))?;
                }
                accounts.begin_anew(change, user, link.email.as_deref(), &client).map(Some)
            })
            .await
    }
}
