//! Create the first administrator, once, with a link that only the operator sees.

use crate::audit::{AuditAction, NewEvent};
use crate::db::{Failed, Fault, Refusable as _, refuse};
use crate::identity::{Client, Role};
use crate::registration::register::{NewUser, RegisterRefusal};
use crate::registration::{Registration, queries};
use crate::secret::Token;

#[derive(Debug, PartialEq, Eq)]
pub enum SetupRefusal {
    DeadLink,
    /// A user with this address exists; the operator can promote that user instead.
    Taken,
    Register(RegisterRefusal),
}

impl Registration {
    /// A link that creates the first administrator; `None` if there is an administrator. Links of earlier starts and of
    /// other instances work until then.
    pub async fn setup_link(&self) -> Result<Option<String>, Fault> {
        let mailer = self.mailer.clone();
        self.db
            .write(move |conn| {
                if queries::has_admin(conn)? {
                    return Ok(None);
                }
                let token = Token::generate()?;
                queries::insert_setup_token(conn, &token)?;
                Ok(Some(mailer.link(&format!("/setup?token={}", token.reveal()))))
            })
            .await
    }

    /// Consumes nothing.
    pub async fn setup_link_is_live(&self, token: &str) -> Result<bool, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(false) };
        self.db.read(move |conn| queries::setup_token_is_live(conn, &token_hash)).await
    }

    /// Creates the first administrator. The address counts as verified, because its owner can read the server's log.
    pub async fn create_first_admin(
        &self,
        token: &str,
        person: NewUser,
        client: Client,
    ) -> Result<(), Failed<SetupRefusal>> {
        if !self.setup_link_is_live(token).await? {
            return refuse(SetupRefusal::DeadLink);
        }
        let Some(token_hash) = Token::hash_of(token) else { return refuse(SetupRefusal::DeadLink) };
        let parsed = self.parse_registration(&person).await.map_refusal(SetupRefusal::Register)?;
        self.db
            .write_or_refuse(move |conn| {
                if queries::is_taken(conn, parsed.email.key())? {
                    return refuse(SetupRefusal::Taken);
                }
                if !queries::consume_setup_tokens(conn, &token_hash)? {
                    return refuse(SetupRefusal::DeadLink);
                }
                let (email, name) = (&parsed.email, parsed.name.as_str());
                let Some(user) =
                    queries::insert_user(conn, email, name, Role::Admin, Some(parsed.hash.as_str()))?
                else {
                    // Rolls the transaction back, so that the link still works.
                    let bug = Fault::bug("the address of the first administrator is taken already");
                    return Err(bug.into());
                };
                queries::drop_registrations(conn, email.key())?;
                NewEvent::by_owner(AuditAction::SetUp, user, &client).write(conn)?;
                Ok(())
            })
            .await
    }
}
