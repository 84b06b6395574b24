//! "I did not add this": takes back whatever can log in since a letter told of it. A reset alone would not: it keeps
//! second factors, and a thief who has added one of theirs would keep the account with it.

use diesel::pg::PgConnection;

use crate::config::in_words;
use crate::db::Fault;
use crate::factors::Factors;
use crate::identity::{Client, Recipient};
use crate::notices::{About, Notice, Purpose};

impl Factors {
    /// Tells the owner of a new factor, with the way to take it back.
    pub(crate) fn notify_factor_added(
        &self,
        conn: &mut PgConnection,
        owner: &Recipient,
        factor: &'static str,
        client: &Client,
    ) -> Result<(), Fault> {
        let (undo, valid_for) = self.undo_factor_link(conn, owner)?;
        self.notices.send_notice(conn, owner, &Notice::FactorAdded { factor, undo, valid_for }, client)
    }

    /// A link that takes back what changes from now on, and for how long it works.
    pub(crate) fn undo_factor_link(
        &self,
        conn: &mut PgConnection,
        owner: &Recipient,
    ) -> Result<(String, String), Fault> {
        let about = About { email: Some(&owner.email), ..About::default() };
        let undo = self.notices.create_link(conn, owner.id, Purpose::UndoFactor, about)?;
        Ok((undo, in_words(self.notices.link_lifetime(Purpose::UndoFactor))))
    }
}
