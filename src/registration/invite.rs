//! Invitations to register. They end when the administrator who sent them loses the role.

use uuid::Uuid;

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::queries::database_time;
use crate::db::time::Moment;
use crate::db::{Failed, Fault, Refusable as _, refuse};
use crate::identity::{Client, Email, InvalidEmail, UserId};
use crate::notices::Mail;
use crate::registration::queries::InvitationRow;
use crate::registration::{Registration, queries};
use crate::secret::Token;
use crate::throttle::{RetryAfter, count_mail};

#[derive(Debug, PartialEq, Eq)]
pub enum InviteRefusal {
    Email(InvalidEmail),
    /// The address is taken. An administrator may know that.
    Registered,
    /// Mail is off, so the invitation cannot be sent.
    NoMail,
    /// This address has been sent too many emails.
    TooMany(RetryAfter),
}

/// An invitation that can still be accepted.
pub struct OpenInvitation {
    pub email: String,
}

impl Registration {
    /// Mails an invitation, and returns its id.
    pub async fn invite(
        &self,
        by: UserId,
        email: &str,
        client: Client,
    ) -> Result<Uuid, Failed<InviteRefusal>> {
        let email = match Email::parse(email) {
            Ok(email) => email,
            Err(error) => return refuse(InviteRefusal::Email(error)),
        };
        if !self.mailer.delivers() {
            return refuse(InviteRefusal::NoMail);
        }
        let registration = self.clone();
        self.db
            .write_or_refuse(move |conn| {
                if queries::is_taken(conn, email.key())? {
                    return refuse(InviteRefusal::Registered);
                }
                count_mail(conn, email.key(), &registration.throttle).map_refusal(InviteRefusal::TooMany)?;
                let good_for = registration.lifetimes.invite_for;
                let token = Token::generate().map_err(Fault::from)?;
                queries::withdraw_invitations_of(conn, &email)?;
                let id = queries::insert_invitation(conn, &token, &email, by, good_for.std())?;
                let link = registration.notices.mailed_link("/register", "invite", &token, good_for);
                registration.notices.send(conn, email.as_str(), &Mail::Invitation(link), good_for.std())?;
                let mut entry = NewEvent::by_owner(AuditAction::Invited, by, &client).detail(email.as_str());
                entry.subject = None;
                entry.write(conn)?;
                Ok(id)
            })
            .await
    }

    /// `false` if there is no open invitation with this id.
    pub async fn withdraw_invitation(&self, by: UserId, id: Uuid, client: Client) -> Result<bool, Fault> {
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

    /// Invitations, the newest first: `limit` of them after `after`; and the database's time.
    pub async fn invitations_after(
        &self,
        after: Option<(Moment, Uuid)>,
        limit: i64,
    ) -> Result<(Vec<InvitationRow>, Moment), Fault> {
        self.db
            .read(move |conn| Ok((queries::invitations_after(conn, after, limit)?, database_time(conn)?)))
            .await
    }

    /// An invitation, and the database's time.
    pub async fn invitation(&self, id: Uuid) -> Result<Option<(InvitationRow, Moment)>, Fault> {
        self.db
            .read(move |conn| {
                let Some(row) = queries::invitation(conn, id)? else { return Ok(None) };
                Ok(Some((row, database_time(conn)?)))
            })
            .await
    }

    /// The open invitation of a link, to prefill the form.
    pub async fn open_invitation(&self, token: &str) -> Result<Option<OpenInvitation>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        self.db
            .read(move |conn| {
                Ok(queries::invitation_email(conn, &token_hash)?.map(|email| OpenInvitation { email }))
            })
            .await
    }
}
