//! "I did not add this": takes back whatever can log in since a letter told of it. A reset alone would not: it keeps
//! second factors, and a thief who has added one of theirs would keep the account with it.

use diesel::pg::PgConnection;

use super::audit::Entry;
use super::cleanup::{Cleanup, Request};
use super::links::{self, About, Purpose};
use super::notices::Notice;
use super::{Accounts, Act, Addressee, Client, Disowned, UserId, in_words};
use crate::db::Fault;
use crate::secret::Token;

impl Accounts {
    /// Tells the owner of a new factor, with the way to take it back.
    pub(super) fn tell_factor_added(
        &self,
        conn: &mut PgConnection,
        owner: &Addressee,
        factor: &'static str,
        client: &Client,
    ) -> Result<(), Fault> {
        let (undo, valid_for) = self.undo_factor_link(conn, owner)?;
        self.tell(conn, owner, &Notice::FactorAdded { factor, undo, valid_for }, client)
    }

    /// A link that takes back what changes from now on, and for how long it works.
    pub(super) fn undo_factor_link(
        &self,
        conn: &mut PgConnection,
        owner: &Addressee,
    ) -> Result<(String, String), Fault> {
        let about = About { email: Some(&owner.email), ..About::default() };
        let undo = self.make_link(conn, owner.id, Purpose::UndoFactor, about)?;
        Ok((undo, in_words(self.good_for(Purpose::UndoFactor))))
    }

    /// Removes every factor and recovery code that was added since the letter, ends every session, and begins anew with
    /// the password. `None` when the link is dead.
    pub async fn undo_factor(&self, token: &str, client: Client) -> Result<Option<Disowned>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let accounts = self.clone();
        self.sessions
            .write(move |change| {
                let Some(link) = links::take(change, Purpose::UndoFactor, &token_hash)? else {
                    return Ok(None);
                };
                let user = UserId(link.user);
                let request = Request::new(Cleanup::UndoFactor, user, &client).since(link.began());
                accounts.clean_up(change, &request)?;
                Entry::nobody(Act::FactorDisowned, Some(user), &client).write(change)?;
                accounts.mail_reset_to_owner(change, user, link.email.as_deref(), &client).map(Some)
            })
            .await
    }
}
