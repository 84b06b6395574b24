//! Links to set a new password, and the letters they travel in.

use diesel::pg::PgConnection;
use uuid::Uuid;

use crate::config::in_words;
use crate::db::Fault;
use crate::identity::{Recipient, UserId};
use crate::mail::ResetPassword;
use crate::notices::Notices;
use crate::secret::Token;

impl Notices {
    pub(crate) fn send_reset_link(&self, conn: &mut PgConnection, user: &Recipient) -> Result<(), Fault> {
        let letter = self.reset_letter(self.create_reset_link(conn, user.id)?);
        self.mailer.enqueue(conn, &user.email, &letter, self.tokens.reset_for.std())
    }

    /// The work of [`Self::mail_reset`] where there is no account to write about.
    pub(crate) fn send_decoy(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        self.send_decoy_reset(conn, Uuid::new_v4())
    }

    /// The same; `account` stands for the one that does not exist, so that a second request replaces the first, too.
    pub(crate) fn send_decoy_reset(&self, conn: &mut PgConnection, account: Uuid) -> Result<(), Fault> {
        let (token, good_for) = (Token::generate()?, self.tokens.reset_for.std());
        crate::notices::queries::replace_decoy(conn, account, &token, good_for)?;
        self.mailer.enqueue_decoy(conn, &self.reset_letter(self.reset_url(&token)), good_for)
    }

    pub(crate) fn decoy_account(&self, email_key: &str) -> Uuid {
        let digest = self.secret.mac("decoy account", &[email_key.as_bytes()]);
        Uuid::from_bytes(digest.first_chunk().copied().unwrap_or_default())
    }

    pub(crate) fn create_reset_link(&self, conn: &mut PgConnection, user: UserId) -> Result<String, Fault> {
        let token = Token::generate()?;
        crate::notices::queries::replace_reset(conn, user, &token, self.tokens.reset_for.std())?;
        Ok(self.reset_url(&token))
    }

    pub(crate) fn reset_url(&self, token: &Token) -> String {
        self.mailer.link(&format!("/reset-password?token={}", token.reveal()))
    }

    pub(crate) fn reset_letter(&self, link: String) -> ResetPassword {
        ResetPassword { link, valid_for: in_words(self.tokens.reset_for) }
    }
}
