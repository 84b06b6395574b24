//! Another e-mail address: proven with a link to the new one, taken back with a link to the old one.

use diesel::pg::PgConnection;
use time::OffsetDateTime;
use time::macros::format_description;
use uuid::Uuid;

use crate::audit::{Act, Entry};
use crate::cleanup::{Cleanup, Request};
use crate::config::in_words;
use crate::db::Fault;
use crate::identity::{Addressee, Answer, Client, Email, LiveUser, UserId};
use crate::mail::ConfirmEmail;
use crate::notices::{About, Notice, PendingEmail, Purpose, links};
use crate::secret::Token;
use crate::throttle;
use crate::throttle::Wait;
use crate::users::{Users, queries};
use latchkey_sessions::SessionTx;

#[derive(Debug, PartialEq, Eq)]
pub enum EmailRefusal {
    /// It is theirs already.
    Same,
    NoMail,
    TooMany(Wait),
    /// The session ended while this request ran.
    SessionLost,
}

impl Users {
    /// Mails a link to the new address, and tells the old one that the change was requested. If the new
    /// address belongs to another user, that user is told, and no link is mailed. The caller cannot tell
    /// which (ASVS 5.0 6.3.8). A newer request replaces an older one.
    pub async fn ask_for_email(
        &self,
        live: LiveUser,
        email: Email,
        client: Client,
    ) -> Answer<(), EmailRefusal> {
        if !self.mailer.delivers() {
            return Ok(Err(EmailRefusal::NoMail));
        }
        let users = self.clone();
        self.db
            .write(move |conn| {
                let user = live.owner.id;
                let person = users.asking(conn, user)?;
                if person.email == email.as_str() {
                    return Ok(Err(EmailRefusal::Same));
                }
                let may_mail = match users.may_ask_for_email(conn, &live, &email)? {
                    Ok(may_mail) => may_mail,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                let session = live.record.handle;
                Entry::own(Act::EmailChangeAsked, user, &client).session(session).write(conn)?;
                users.mail_confirmation(conn, &live, &email, None, may_mail, &client)?;
                // What the session added before it asked is as little the owner's as what it adds afterwards.
                let about = About {
                    session: Some(session),
                    email: Some(&person.email),
                    since: Some(live.record.created_at.into()),
                    ..About::default()
                };
                let notice = Notice::EmailChangeAsked {
                    new: masked(email.as_str()),
                    not_me: users.notices.make_link(conn, user, Purpose::NotMe, about)?,
                    valid_for: in_words(users.notices.good_for(Purpose::NotMe)),
                };
                users.notices.tell(conn, &person, &notice, &client)?;
                Ok(Ok(()))
            })
            .await
    }

    /// The change of address that waits, for the pages.
    pub async fn pending_email(&self, live: &LiveUser) -> Result<Option<PendingEmail>, Fault> {
        let user = live.owner.id;
        self.db.read(move |conn| crate::notices::queries::pending_email(conn, user)).await
    }

    /// Mails a new link in place of the one that waits; `false` if none does. From then on the change belongs to the
    /// session that asks here. What is older than the first request stays the owner's.
    pub async fn resend_email(&self, live: LiveUser, client: Client) -> Answer<bool, EmailRefusal> {
        if !self.mailer.delivers() {
            return Ok(Err(EmailRefusal::NoMail));
        }
        let users = self.clone();
        self.db
            .write(move |conn| {
                let pending = crate::notices::queries::pending_email(conn, live.owner.id)?;
                let Some(pending) = pending else { return Ok(Ok(false)) };
                let email = Email::parse(&pending.email).map_err(Fault::bug)?;
                let may_mail = match users.may_ask_for_email(conn, &live, &email)? {
                    Ok(may_mail) => may_mail,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                // Asked again with the user's row locked: it may have been cancelled or used meanwhile.
                if crate::notices::queries::pending_email(conn, live.owner.id)?.is_none() {
                    return Ok(Ok(false));
                }
                let since = Some(pending.asked_at);
                users.mail_confirmation(conn, &live, &email, since, may_mail, &client)?;
                Ok(Ok(true))
            })
            .await
    }

    /// Cancels the pending change; `false` if there is none.
    pub async fn cancel_email(&self, live: LiveUser, client: Client) -> Result<bool, Fault> {
        self.db
            .write(move |conn| {
                let user = live.owner.id;
                crate::identity::queries::lock_user(conn, user)?;
                if crate::notices::queries::delete_links(conn, user, &[Purpose::ConfirmEmail])? == 0 {
                    return Ok(false);
                }
                Entry::own(Act::EmailChangeCancelled, user, &client)
                    .session(live.record.handle)
                    .write(conn)?;
                Ok(true)
            })
            .await
    }

    fn asking(&self, conn: &mut PgConnection, user: UserId) -> Result<Addressee, Fault> {
        crate::identity::queries::addressee(conn, user)?
            .ok_or_else(|| Fault::Bug("a live session of no active user".into()))
    }

    /// Whether a letter may go to the new address. Locks the user's row after the budgets, in the same order
    /// as a request for a reset link, so that the two cannot deadlock.
    fn may_ask_for_email(
        &self,
        conn: &mut PgConnection,
        live: &LiveUser,
        email: &Email,
    ) -> Answer<bool, EmailRefusal> {
        if let Err(wait) = throttle::may_write(conn, live.owner.id, &self.throttle)? {
            return Ok(Err(EmailRefusal::TooMany(wait)));
        }
        let may_mail = throttle::may_mail(conn, email.key(), &self.throttle)?;
        if !self.factors.may_still(conn, live)? {
            return Ok(Err(EmailRefusal::SessionLost));
        }
        Ok(Ok(may_mail))
    }

    /// Makes the link that changes the address, and mails it if the address is free. If it is not, the link
    /// is made but never mailed, so that the account page shows the same pending change.
    fn mail_confirmation(
        &self,
        conn: &mut PgConnection,
        live: &LiveUser,
        email: &Email,
        since: Option<OffsetDateTime>,
        may_mail: bool,
        client: &Client,
    ) -> Result<(), Fault> {
        let user = live.owner.id;
        let since = since.map_or_else(|| queries::transaction_time(conn), Ok)?;
        let about = About {
            session: Some(live.record.handle),
            email: Some(email.as_str()),
            since: Some(since),
            ..About::default()
        };
        let good_for = self.notices.good_for(Purpose::ConfirmEmail);
        let link = self.notices.make_link(conn, user, Purpose::ConfirmEmail, about)?;
        if !may_mail {
            return Ok(());
        }
        let owner = crate::identity::queries::user_id(conn, email.key())?;
        if owner.is_some_and(|owner| owner != user) {
            return match crate::identity::queries::addressee_at(conn, email.key())? {
                Some(owner) => self.notices.tell(conn, &owner, &Notice::EmailWanted, client),
                None => self.notices.mail_nobody(conn),
            };
        }
        if let Some(until) = queries::reserved_until(conn, email.key(), Some(user))? {
            return self.tell_reserved(conn, email, until, client);
        }
        let letter = ConfirmEmail { link, valid_for: in_words(good_for) };
        self.mailer.enqueue(conn, email.as_str(), &letter, good_for.std())
    }

    /// Writes to an address that was requested while it is reserved for the account that had it before: its
    /// owner may have missed the letter about the change. The letter contains no name, because a thief may
    /// have set it.
    pub(crate) fn tell_reserved(
        &self,
        conn: &mut PgConnection,
        email: &Email,
        until: OffsetDateTime,
        client: &Client,
    ) -> Result<(), Fault> {
        let to =
            Addressee { id: UserId(Uuid::nil()), name: "there".into(), email: email.as_str().to_owned() };
        let until = until
            .format(format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC"))
            .map_err(Fault::bug)?;
        self.notices.tell(conn, &to, &Notice::AddressReserved { until }, client)
    }

    /// The account goes by the new address from now on; the old one is told, with the way back. Links that were mailed
    /// to it die. `None` when the link is dead, or somebody else has the address by now.
    pub async fn confirm_email(&self, token: &str, client: Client) -> Result<Option<()>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let users = self.clone();
        self.sessions
            .write(move |change| {
                let followed = users.follow(change, Purpose::ConfirmEmail, &token_hash)?;
                let Some(Followed { before, email, since, .. }) = followed else { return Ok(None) };
                let user = before.id;
                // What was mailed to an address opens nothing once the account goes by another.
                crate::notices::queries::delete_user_tokens(change, user)?;
                crate::notices::queries::delete_links(
                    change,
                    user,
                    &[Purpose::Unlock, Purpose::ConfirmEmail],
                )?;
                let key = Email::stored(&before.email);
                let about = About {
                    email: Some(&before.email),
                    email_key: Some(key.key().as_str()),
                    since: Some(since),
                    ..About::default()
                };
                let notice = Notice::EmailChanged {
                    new: &email,
                    undo: users.notices.make_link(change, user, Purpose::UndoEmail, about)?,
                    valid_for: in_words(users.notices.good_for(Purpose::UndoEmail)),
                };
                users.notices.tell(change, &before, &notice, &client)?;
                Entry::nobody(Act::EmailChanged, Some(user), &client).write(change)?;
                Ok(Some(()))
            })
            .await
    }

    /// Gives the account its old address back, mails a link to set a new password there, and removes what was
    /// added since the change was requested. `None` when the link is dead, or another user has the address by
    /// now.
    pub async fn restore_email(&self, token: &str, client: Client) -> Result<Option<()>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let users = self.clone();
        self.sessions
            .write(move |change| {
                let followed = users.follow(change, Purpose::UndoEmail, &token_hash)?;
                let Some(Followed { before, email, since, made_at }) = followed else { return Ok(None) };
                let user = before.id;
                let request =
                    Request::new(Cleanup::UndoEmail, user, &client).since(since).restored(&email, made_at);
                let removed = users.cleaner.clean_up(change, &request)?;
                Entry::nobody(Act::EmailRestored, Some(user), &client).write(change)?;
                if removed.factors > 0 {
                    Entry::nobody(Act::FactorDisowned, Some(user), &client).write(change)?;
                }
                users.cleaner.mail_reset_to_owner(change, user, Some(email.as_str()), &client)?;
                Ok(Some(()))
            })
            .await
    }

    /// Consumes the link and gives the account the address it is about; `None` when the link is dead, or
    /// another user has the address by now.
    fn follow(
        &self,
        change: &mut SessionTx<'_>,
        purpose: Purpose,
        token_hash: &[u8],
    ) -> Result<Option<Followed>, Fault> {
        let Some(link) = links::take(change, purpose, token_hash)? else { return Ok(None) };
        let user = UserId(link.user);
        let Some(before) = crate::identity::queries::addressee(change, user)? else { return Ok(None) };
        let Some(email) = link.email.as_deref().and_then(|text| Email::parse(text).ok()) else {
            return Ok(None);
        };
        if !queries::set_email(change, user, &email)? {
            return Ok(None);
        }
        queries::drop_registrations(change, Email::stored(&before.email).key())?;
        queries::drop_registrations(change, email.key())?;
        Ok(Some(Followed { before, since: link.began(), made_at: link.created_at, email }))
    }
}

/// A link that gave the account another address.
struct Followed {
    /// The owner, with the address that was used until now.
    before: Addressee,
    /// The address of the account from now on.
    email: Email,
    /// When the link was made.
    made_at: OffsetDateTime,
    /// When the change of address began.
    since: OffsetDateTime,
}

/// Enough of an address for its owner to recognize it: its first character and the domain.
fn masked(email: &str) -> String {
    let (local, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}…@{domain}")
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn an_address_is_masked_to_its_first_character_and_its_domain() {
        assert_eq!(masked("countess@example.org"), "c…@example.org");
        assert_eq!(masked("ä@example.org"), "ä…@example.org");
    }
}
