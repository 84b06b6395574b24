//! Invitations: an administrator vouches for an address. They end with the role of the administrator who sent them.

use uuid::Uuid;

use crate::audit::{AuditAction, NewEvent};
use crate::config::in_words;
use crate::db::Fault;
use crate::identity::{Answer, Client, Email, InvalidEmail, User};
use crate::mail::Invitation;
use crate::secret::Token;
use crate::users::queries::InvitationRow;
use crate::users::{Admin, queries};

#[derive(Debug, PartialEq, Eq)]
pub enum InviteRefusal {
    Email(InvalidEmail),
    /// Somebody with this address is registered; an administrator may know.
    Registered,
    /// There is no mail to send the invitation with.
    NoMail,
}

/// An invitation as the registration form needs it.
pub struct OpenInvitation {
    pub email: String,
}

impl Admin {
    pub async fn invite(&self, by: User, email: &str, client: Client) -> Answer<(), InviteRefusal> {
        let email = match Email::parse(email) {
            Ok(email) => email,
            Err(error) => return Ok(Err(InviteRefusal::Email(error))),
        };
        if !self.mailer.delivers() {
            return Ok(Err(InviteRefusal::NoMail));
        }
        let admin = self.clone();
        self.db
            .write(move |conn| {
                if queries::is_taken(conn, email.key())? {
                    return Ok(Err(InviteRefusal::Registered));
                }
                let good_for = admin.tokens.invite_for;
                let token = Token::generate()?;
                queries::withdraw_invitations_of(conn, &email)?;
                queries::insert_invitation(conn, &token, &email, by.id, good_for.std())?;
                let letter = Invitation {
                    link: admin.mailer.link(&format!("/register?invite={}", token.reveal())),
                    valid_for: in_words(good_for),
                };
                admin.mailer.enqueue(conn, email.as_str(), &letter, good_for.std())?;
                let mut entry =
                    NewEvent::by_owner(AuditAction::Invited, by.id, &client).detail(email.as_str());
                entry.subject = None;
                entry.write(conn)?;
                Ok(Ok(()))
            })
            .await
    }

    /// `false` when there is no waiting invitation of this id.
    pub async fn withdraw_invitation(&self, by: &User, id: Uuid, client: Client) -> Result<bool, Fault> {
        let by = by.id;
        self.db
            .write(move |conn| {
                let Some(email) = queries::withdraw_invitation(conn, id)? else { return Ok(false) };
                let mut entry =
                    NewEvent::by_owner(AuditAction::InvitationWithdrawn, by, &client).detail(&email);
                entry.subject = None;
                entry.write(conn)?;
                Ok(true)
            })
            .await
    }

    pub async fn invitations(&self, limit: i64, offset: i64) -> Result<(Vec<InvitationRow>, i64), Fault> {
        self.db.read(move |conn| queries::invitations(conn, limit, offset)).await
    }

    /// The open invitation behind a link, to prefill the form.
    pub async fn open_invitation(&self, token: &str) -> Result<Option<OpenInvitation>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        self.db
            .read(move |conn| {
                Ok(queries::invitation_email(conn, &token_hash)?.map(|email| OpenInvitation { email }))
            })
            .await
    }
}
