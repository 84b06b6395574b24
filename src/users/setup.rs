//! The first administrator: made once, with a link that only the operator sees.

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::identity::{Answer, Client, Role};
use crate::secret::Token;
use crate::users::register::{NewUser, ParsedRegistration, RegisterRefusal};
use crate::users::{Users, queries};

#[derive(Debug, PartialEq, Eq)]
pub enum SetupRefusal {
    DeadLink,
    /// Somebody registered with this address before; the operator can promote them instead.
    Taken,
    Register(RegisterRefusal),
}

impl Users {
    /// A link that makes the first administrator, or `None` when there is one. Links of earlier starts and
    /// of other instances stay good until then.
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

    /// Whether the link would still work; nothing is consumed.
    pub async fn setup_link_is_live(&self, token: &str) -> Result<bool, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(false) };
        self.db.read(move |conn| queries::setup_token_is_live(conn, &token_hash)).await
    }

    /// Makes the first administrator. Their address counts as proven: they can read the server's log.
    pub async fn create_first_admin(
        &self,
        token: &str,
        person: NewUser,
        client: Client,
    ) -> Answer<(), SetupRefusal> {
        if !self.setup_link_is_live(token).await? {
            return Ok(Err(SetupRefusal::DeadLink));
        }
        let Some(token_hash) = Token::hash_of(token) else { return Ok(Err(SetupRefusal::DeadLink)) };
        let parsed: ParsedRegistration = match self.parse_registration(&person).await? {
            Ok(parsed) => parsed,
            Err(refusal) => return Ok(Err(SetupRefusal::Register(refusal))),
        };
        self.db
            .write(move |conn| {
                if queries::is_taken(conn, parsed.email.key())? {
                    return Ok(Err(SetupRefusal::Taken));
                }
                if !queries::consume_setup_tokens(conn, &token_hash)? {
                    return Ok(Err(SetupRefusal::DeadLink));
                }
                let (email, name) = (&parsed.email, parsed.name.as_str());
                let Some(user) =
                    queries::insert_user(conn, email, name, Role::Admin, Some(parsed.hash.as_str()))?
                else {
                    // Rolls the transaction back, so the link stays good.
                    return Err(Fault::Bug("the first administrator's address is registered already".into()));
                };
                queries::drop_registrations(conn, email.key())?;
                NewEvent::by_owner(AuditAction::SetUp, user, &client).write(conn)?;
                Ok(Ok(()))
            })
            .await
    }
}
