//! Links to set a new password, and the emails that carry them.

use diesel::pg::PgConnection;
use uuid::Uuid;

use crate::db::Fault;
use crate::identity::{Recipient, UserId};
use crate::notices::link::MailedLink;
use crate::notices::notice::Mail;
use crate::notices::queries;
use crate::notices::service::Notices;
use crate::secret::Token;

const PATH: &str = "/reset-password";

impl Notices {
    pub(crate) fn send_reset_link(&self, conn: &mut PgConnection, user: &Recipient) -> Result<(), Fault> {
        let mail = Mail::ResetPassword(self.create_reset_link(conn, user.id)?);
        self.send(conn, &user.email, &mail, self.lifetimes.reset_for.std())
    }

    /// The work of [`Self::send_reset_link`] if there is no account to write about.
    pub(crate) fn send_decoy(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        self.send_decoy_reset(conn, Uuid::new_v4())
    }

    /// The same for one address without an account.
    ///
    /// * `account`: stands for the account, so that a second request replaces the first one here as well.
    pub(crate) fn send_decoy_reset(&self, conn: &mut PgConnection, account: Uuid) -> Result<(), Fault> {
        let (token, valid_for) = (Token::generate()?, self.lifetimes.reset_for);
        queries::replace_decoy(conn, account, &token, valid_for.std())?;
        let mail = Mail::ResetPassword(self.mailed_link(PATH, "token", &token, valid_for));
        self.send_to_no_one(conn, &mail, valid_for.std())
    }

    /// The id that stands for the account of an address without one.
    pub(crate) fn decoy_account(&self, email_key: &str) -> Uuid {
        let digest = self.secret.mac("decoy account", &[email_key.as_bytes()]);
        Uuid::from_bytes(digest.first_chunk().copied().unwrap_or_default())
    }

    /// Creates a reset link and voids the one before.
    pub(crate) fn create_reset_link(
        &self,
        conn: &mut PgConnection,
        user: UserId,
    ) -> Result<MailedLink, Fault> {
        let (token, valid_for) = (Token::generate()?, self.lifetimes.reset_for);
        queries::replace_reset(conn, user, &token, valid_for.std())?;
        Ok(self.mailed_link(PATH, "token", &token, valid_for))
    }
}
