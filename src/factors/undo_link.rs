//! The notice about an added factor, with a link that undoes it (see `recovery/undo_factor.rs`).

use diesel::pg::PgConnection;

use crate::db::Fault;
use crate::factors::Factors;
use crate::identity::{Client, Recipient};
use crate::notices::{AddedFactor, LinkDetails, LinkPurpose, MailedLink, Notice};

impl Factors {
    pub(crate) fn notify_factor_added(
        &self,
        conn: &mut PgConnection,
        owner: &Recipient,
        factor: AddedFactor,
        client: &Client,
    ) -> Result<(), Fault> {
        let undo = self.undo_factor_link(conn, owner)?;
        self.notices.send_notice(conn, owner, &Notice::FactorAdded { factor, undo }, client)
    }

    /// A link that undoes changes from now on.
    pub(crate) fn undo_factor_link(
        &self,
        conn: &mut PgConnection,
        owner: &Recipient,
    ) -> Result<MailedLink, Fault> {
        let about = LinkDetails { email: Some(&owner.email), ..LinkDetails::default() };
        self.notices.create_link(conn, owner.id, LinkPurpose::UndoFactor, about)
    }
}
