//! "I did not add this": takes back whatever can log in since a letter told of it. A reset alone would not: it keeps
//! second factors, and a thief who has added one of theirs would keep the account with it.

use diesel::pg::PgConnection;

use super::audit::Entry;
use super::links::{self, About, Purpose};
use super::notices::Notice;
use super::{Accounts, Act, Addressee, Client, Disowned, UserId, in_words, queries};
use crate::db::Fault;
use crate::secret::Token;
use crate::sessions::Change;

impl Accounts {
    /// Tells the owner of a new factor, with the way to take it back.
    pub(super) fn tell_factor_added(
        &self,
        conn: &mut PgConnection,
        owner: &Addressee,
        factor: &str,
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
                queries::delete_factors_since(change, user, link.created_at)?;
                accounts.after_removal(change, user)?;
                queries::delete_links(change, user, &[Purpose::ConfirmEmail])?;
                queries::forget_browsers(change, user, None)?;
                accounts.sessions.revoke_all(change, user.principal(), None)?;
                Entry::nobody(Act::FactorDisowned, Some(user), &client).write(change)?;
                accounts.begin_anew(change, user, link.email.as_deref(), &client).map(Some)
            })
            .await
    }

    /// Somebody else may know the password: it opens nothing any more, nor does a log-in that waits for its second step,
    /// and a link to set a new one goes to the owner, unless that is not where the letter went (`email`).
    pub(super) fn begin_anew(
        &self,
        change: &mut Change<'_>,
        user: UserId,
        email: Option<&str>,
        client: &Client,
    ) -> Result<Disowned, Fault> {
        queries::drop_password(change, user)?;
        queries::delete_pending_of(change, user)?;
        let owner = queries::addressee(change, user)?;
        let Some(owner) = owner.filter(|owner| email == Some(owner.email.as_str())) else {
            return Ok(Disowned::AddressChanged);
        };
        self.mail_reset(change, &owner)?;
        Entry::nobody(Act::ResetRequested, Some(user), client).write(change)?;
        Ok(Disowned::ResetMailed)
    }
}
