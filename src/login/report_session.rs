//! "This was not me": ends everything that another person may have opened, and begins a reset.

use crate::audit::{Act, Entry};
use crate::cleanup::{Cleanup, Disowned, Request};
use crate::db::Fault;
use crate::identity::{Client, UserId};
use crate::login::Login;
use crate::notices::{Purpose, links};
use crate::secret::Token;
use latchkey_sessions::Handle;

impl Login {
    /// Another person was logged in and may know the password. Removes the password, everything it opened,
    /// and what was added since that session began. Mails a reset link. `None` when the link is dead.
    pub async fn not_me(&self, token: &str, client: Client) -> Result<Option<Disowned>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let login = self.clone();
        self.sessions
            .write(move |change| {
                let Some(link) = links::take(change, Purpose::NotMe, &token_hash)? else { return Ok(None) };
                let user = UserId(link.user);
                if let Some(session) = link.session.map(Handle) {
                    let detail = login.ended_session(change, session, None)?;
                    Entry::nobody(Act::SessionDisowned, Some(user), &client)
                        .session(session)
                        .detail(&detail)
                        .write(change)?;
                }
                let request = Request::new(Cleanup::NotMe, user, &client).since(link.began());
                let removed = login.cleaner.clean_up(change, &request)?;
                if removed.factors > 0 {
                    Entry::nobody(Act::FactorDisowned, Some(user), &client).write(change)?;
                }
                login.cleaner.mail_reset_to_owner(change, user, link.email.as_deref(), &client).map(Some)
            })
            .await
    }

    /// Removes every factor and recovery code that was added since the letter, ends every session, and begins anew with
    /// the password. `None` when the link is dead.
    pub async fn undo_factor(&self, token: &str, client: Client) -> Result<Option<Disowned>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let login = self.clone();
        self.sessions
            .write(move |change| {
                let Some(link) = links::take(change, Purpose::UndoFactor, &token_hash)? else {
                    return Ok(None);
                };
                let user = UserId(link.user);
                let request = Request::new(Cleanup::UndoFactor, user, &client).since(link.began());
                login.cleaner.clean_up(change, &request)?;
                Entry::nobody(Act::FactorDisowned, Some(user), &client).write(change)?;
                login.cleaner.mail_reset_to_owner(change, user, link.email.as_deref(), &client).map(Some)
            })
            .await
    }
}
