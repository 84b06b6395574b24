//! The notice about an added factor, with a link that undoes it (see `login/undo_factor.rs`).

use diesel::pg::PgConnection;

use crate::config::in_words;
use crate::db::Fault;
use crate::factors::Factors;
use crate::identity::{Client, Recipient};
use crate::notices::{LinkDetails, LinkPurpose, Notice};

impl Factors {
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

    /// A link that undoes changes from now on, and how long it works.
    pub(crate) fn undo_factor_link(
        &self,
        conn: &mut PgConnection,
        owner: &Recipient,
    ) -> Result<(String, String), Fault> {
        let about = LinkDetails { email: Some(&owner.email), ..LinkDetails::default() };
        let undo = self.notices.create_link(conn, owner.id, LinkPurpose::UndoFactor, about)?;
        Ok((undo, in_words(self.notices.link_lifetime(LinkPurpose::UndoFactor))))
    }
}
