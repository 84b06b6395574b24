//! Change the email address: confirmed with a link to the new address, undone with a link to the old one.

use diesel::pg::PgConnection;
use time::OffsetDateTime;

use crate::audit::{AuditAction, NewEvent};
use crate::cleanup::{Cleanup, CleanupRequest};
use crate::db::{Failed, Fault, Refusable as _, refuse};
use crate::identity::{Client, Email, LiveUser, Recipient, UserId, UserSession as _};
use crate::notices::{LinkDetails, LinkPurpose, Mail, Notice, PendingEmail, links};
use crate::registration::queries as registration_queries;
use crate::secret::Token;
use crate::throttle;
use crate::throttle::RetryAfter;
use crate::users::{Users, queries};
use latchkey_sessions::SessionTx;

#[derive(Debug, PartialEq, Eq)]
pub enum ChangeEmailRefusal {
    /// It is the current address.
    Same,
    NoMail,
    TooMany(RetryAfter),
    /// The session ended while this request ran.
    SessionLost,
}

impl Users {
    /// Mails a link to the new address, and a notice to the old one. If the new address belongs to another user, that user
    /// gets a notice and no link is mailed; the caller cannot tell the difference (ASVS 5.0 6.3.8). A newer request
    /// replaces an older one.
    pub async fn request_email_change(
        &self,
        live: LiveUser,
        email: Email,
        client: Client,
    ) -> Result<(), Failed<ChangeEmailRefusal>> {
        if !self.mailer.delivers() {
            return refuse(ChangeEmailRefusal::NoMail);
        }
        let users = self.clone();
        self.db
            .write_or_refuse(move |conn| {
                let user = live.user_id();
                let person = users.account_owner(conn, user)?;
                if person.email == email.as_str() {
                    return refuse(ChangeEmailRefusal::Same);
                }
                let may_mail = users.check_email_change(conn, &live, &email)?;
                let session = live.record.handle;
                NewEvent::by_owner(AuditAction::EmailChangeAsked, user, &client)
                    .session(session)
                    .write(conn)?;
                users.mail_confirmation(conn, &live, &email, None, may_mail, &client)?;
                // If the request is an attacker's, so is what the session added before it.
                let about = LinkDetails {
                    session: Some(session),
                    email: Some(&person.email),
                    since: Some(live.record.created_at.into()),
                    ..LinkDetails::default()
                };
                let notice = Notice::EmailChangeAsked {
                    new: mask(email.as_str()),
                    not_me: users.notices.create_link(conn, user, LinkPurpose::NotMe, about)?,
                };
                users.notices.send_notice(conn, &person, &notice, &client)?;
                Ok(())
            })
            .await
    }

    /// The pending change, for the pages.
    pub async fn pending_email_change(&self, live: &LiveUser) -> Result<Option<PendingEmail>, Fault> {
        let user = live.user_id();
        self.db.read(move |conn| crate::notices::queries::pending_email(conn, user)).await
    }

    /// Mails a new link in place of the pending one; `false` if no change is pending. From then on the change belongs to
    /// this session. An undo still goes back to the first request.
    pub async fn resend_email_change(
        &self,
        live: LiveUser,
        client: Client,
    ) -> Result<bool, Failed<ChangeEmailRefusal>> {
        if !self.mailer.delivers() {
            return refuse(ChangeEmailRefusal::NoMail);
        }
        let users = self.clone();
        self.db
            .write_or_refuse(move |conn| {
                let pending = crate::notices::queries::pending_email(conn, live.user_id())?;
                let Some(pending) = pending else { return Ok(false) };
                let email = Email::parse(&pending.email)
                    .map_err(|_| Fault::bug("the address of a pending change is not an email address"))?;
                let may_mail = users.check_email_change(conn, &live, &email)?;
                // Read again under the lock: the change may have been cancelled or confirmed meanwhile.
                if crate::notices::queries::pending_email(conn, live.user_id())?.is_none() {
                    return Ok(false);
                }
                let since = Some(pending.asked_at);
                users.mail_confirmation(conn, &live, &email, since, may_mail, &client)?;
                Ok(true)
            })
            .await
    }

    /// Cancels the pending change; `false` if no change is pending.
    pub async fn cancel_email_change(&self, live: LiveUser, client: Client) -> Result<bool, Fault> {
        self.db
            .write(move |conn| {
                let user = live.user_id();
                crate::identity::queries::lock_user(conn, user)?;
                if crate::notices::queries::delete_links(conn, user, &[LinkPurpose::ConfirmEmail])? == 0 {
                    return Ok(false);
                }
                NewEvent::by_owner(AuditAction::EmailChangeCancelled, user, &client)
                    .session(live.record.handle)
                    .write(conn)?;
                Ok(true)
            })
            .await
    }

    fn account_owner(&self, conn: &mut PgConnection, user: UserId) -> Result<Recipient, Fault> {
        crate::identity::queries::recipient(conn, user)?
            .ok_or_else(|| Fault::bug("a live session without an active user"))
    }

    /// Whether an email may go to the new address. Locks the user's row after the counters, in the same order as a request
    /// for a reset link, so that the two cannot deadlock.
    fn check_email_change(
        &self,
        conn: &mut PgConnection,
        live: &LiveUser,
        email: &Email,
    ) -> Result<bool, Failed<ChangeEmailRefusal>> {
        throttle::admit_mail_by_user(conn, live.user_id(), &self.throttle)
            .map_refusal(ChangeEmailRefusal::TooMany)?;
        let may_mail = throttle::admit_mail(conn, email.key(), &self.throttle)?;
        if !self.factors.lock_if_live(conn, live)? {
            return refuse(ChangeEmailRefusal::SessionLost);
        }
        Ok(may_mail)
    }

    /// Creates the link that confirms the change, and mails it if the address is free. If the address is taken, the link
    /// is created but not mailed, so that the account page shows the same pending change.
    fn mail_confirmation(
        &self,
        conn: &mut PgConnection,
        live: &LiveUser,
        email: &Email,
        since: Option<OffsetDateTime>,
        may_mail: bool,
        client: &Client,
    ) -> Result<(), Fault> {
        let user = live.user_id();
        let since = since.map_or_else(|| queries::transaction_time(conn), Ok)?;
        let about = LinkDetails {
            session: Some(live.record.handle),
            email: Some(email.as_str()),
            since: Some(since),
            ..LinkDetails::default()
        };
        let link = self.notices.create_link(conn, user, LinkPurpose::ConfirmEmail, about)?;
        if !may_mail {
            return Ok(());
        }
        let owner = crate::identity::queries::user_id(conn, email.key())?;
        if owner.is_some_and(|owner| owner != user) {
            return match crate::identity::queries::recipient_at(conn, email.key())? {
                Some(owner) => self.notices.send_notice(conn, &owner, &Notice::EmailWanted, client),
                None => self.notices.send_decoy(conn),
            };
        }
        if let Some(until) = registration_queries::reserved_until(conn, email.key(), Some(user))? {
            return self.notices.notify_reserved_address(conn, email, until, client);
        }
        let good_for = link.valid_for.std();
        self.notices.send(conn, email.as_str(), &Mail::ConfirmEmail(link), good_for)
    }

    /// Sets the new address, and mails the old one a notice with a link to undo it. Links that were mailed to the old
    /// address stop working. `None` if the link is dead, or another user has the address by now.
    pub async fn confirm_email_change(&self, token: &str, client: Client) -> Result<Option<()>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let users = self.clone();
        self.sessions
            .write(move |tx| {
                let applied = users.apply_email_link(tx, LinkPurpose::ConfirmEmail, &token_hash)?;
                let Some(AppliedEmailLink { before, email, since, .. }) = applied else { return Ok(None) };
                let user = before.id;
                crate::notices::queries::delete_user_tokens(tx, user)?;
                crate::notices::queries::delete_links(
                    tx,
                    user,
                    &[LinkPurpose::Unlock, LinkPurpose::ConfirmEmail],
                )?;
                let key = Email::stored(&before.email);
                let about = LinkDetails {
                    email: Some(&before.email),
                    email_key: Some(key.key().as_str()),
                    since: Some(since),
                    ..LinkDetails::default()
                };
                let notice = Notice::EmailChanged {
                    new: &email,
                    undo: users.notices.create_link(tx, user, LinkPurpose::UndoEmail, about)?,
                };
                users.notices.send_notice(tx, &before, &notice, &client)?;
                NewEvent::unproven(AuditAction::EmailChanged, Some(user), &client).write(tx)?;
                Ok(Some(()))
            })
            .await
    }

    /// Restores the old address, mails a reset link to it, and removes what was added since the change was requested.
    /// `None` if the link is dead, or another user has the address by now.
    pub async fn undo_email_change(&self, token: &str, client: Client) -> Result<Option<()>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let users = self.clone();
        self.sessions
            .write(move |tx| {
                let applied = users.apply_email_link(tx, LinkPurpose::UndoEmail, &token_hash)?;
                let Some(AppliedEmailLink { before, email, since, made_at }) = applied else {
                    return Ok(None);
                };
                let user = before.id;
                let request = CleanupRequest::new(Cleanup::UndoEmail, user, &client)
                    .since(since)
                    .restored(&email, made_at);
                let removed = users.cleaner.clean_up(tx, &request)?;
                NewEvent::unproven(AuditAction::EmailRestored, Some(user), &client).write(tx)?;
                if removed.factors > 0 {
                    NewEvent::unproven(AuditAction::FactorDisowned, Some(user), &client).write(tx)?;
                }
                users.cleaner.mail_reset_to_owner(tx, user, Some(email.as_str()), &client)?;
                Ok(Some(()))
            })
            .await
    }

    /// Consumes the link and sets the address of the link; `None` if the link is dead, or another user has the address by
    /// now.
    fn apply_email_link(
        &self,
        tx: &mut SessionTx<'_>,
        purpose: LinkPurpose,
        token_hash: &[u8],
    ) -> Result<Option<AppliedEmailLink>, Fault> {
        let Some(link) = links::consume(tx, purpose, token_hash)? else { return Ok(None) };
        let user = UserId(link.user);
        let Some(before) = crate::identity::queries::recipient(tx, user)? else { return Ok(None) };
        let Some(email) = link.email.as_deref().and_then(|text| Email::parse(text).ok()) else {
            return Ok(None);
        };
        if !queries::set_email(tx, user, &email)? {
            return Ok(None);
        }
        registration_queries::drop_registrations(tx, Email::stored(&before.email).key())?;
        registration_queries::drop_registrations(tx, email.key())?;
        Ok(Some(AppliedEmailLink { before, since: link.began(), made_at: link.created_at, email }))
    }
}

/// A link that has set another address.
struct AppliedEmailLink {
    /// The user, with the address before the change.
    before: Recipient,
    /// The address after the change.
    email: Email,
    /// When the link was created.
    made_at: OffsetDateTime,
    /// When the change was requested.
    since: OffsetDateTime,
}

/// Enough of an address for its owner to recognize it: its first character and the domain.
fn mask(email: &str) -> String {
    let (local, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}…@{domain}")
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn an_address_is_masked_to_its_first_character_and_its_domain() {
        assert_eq!(mask("countess@example.org"), "c…@example.org");
        assert_eq!(mask("ä@example.org"), "ä…@example.org");
    }
}
