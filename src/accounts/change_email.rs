//! Another e-mail address: proven with a link to the new one, taken back with a link to the old one.

use diesel::pg::PgConnection;

use super::audit::Entry;
use super::links::{self, About, Purpose};
use super::notices::Notice;
use super::{
    Accounts, Act, Addressee, Answer, Client, Email, LiveUser, UserId, Wait, in_words, queries, throttle,
};
use crate::db::Fault;
use crate::mail::ConfirmEmail;
use crate::secret::Token;
use crate::sessions::Change;

#[derive(Debug, PartialEq, Eq)]
pub enum EmailRefusal {
    /// It is theirs already.
    Same,
    NoMail,
    TooMany(Wait),
}

impl Accounts {
    /// Mails a link to the new address; where that is somebody else's already, they are told instead. The caller cannot
    /// tell which (ASVS 5.0 6.3.8). A newer request replaces an older one.
    pub async fn ask_for_email(
        &self,
        live: LiveUser,
        email: Email,
        client: Client,
    ) -> Answer<(), EmailRefusal> {
        if !self.mailer.delivers() {
            return Ok(Err(EmailRefusal::NoMail));
        }
        let accounts = self.clone();
        self.db
            .write(move |conn| {
                let user = live.owner.id;
                let Some(person) = queries::addressee(conn, user)? else {
                    return Err(Fault::Bug("a live session of nobody active".into()));
                };
                if person.email == email.as_str() {
                    return Ok(Err(EmailRefusal::Same));
                }
                if let Err(wait) = throttle::may_write(conn, user, &accounts.rules)? {
                    return Ok(Err(EmailRefusal::TooMany(wait)));
                }
                let may_mail = throttle::may_mail(conn, email.key(), &accounts.rules)?;
                // After the budgets, as whoever asks for a reset: nobody waits in a circle.
                if !accounts.may_still(conn, &live)? {
                    return Ok(Err(EmailRefusal::Same));
                }
                Entry::own(Act::EmailChangeAsked, user, &client).session(live.record.handle).write(conn)?;
                queries::delete_links(conn, user, &[Purpose::ConfirmEmail])?;
                if may_mail {
                    accounts.ask_or_tell(conn, user, &email, &client)?;
                }
                Ok(Ok(()))
            })
            .await
    }

    fn ask_or_tell(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        email: &Email,
        client: &Client,
    ) -> Result<(), Fault> {
        let owner = queries::user_id(conn, email.key())?;
        if owner.is_some_and(|owner| owner != user) {
            return match queries::addressee_at(conn, email.key())? {
                Some(owner) => self.tell(conn, &owner, &Notice::EmailWanted, client),
                None => self.mail_nobody(conn),
            };
        }
        let about = About { email: Some(email.as_str()), ..About::default() };
        let letter = ConfirmEmail {
            link: self.make_link(conn, user, Purpose::ConfirmEmail, about)?,
            valid_for: in_words(self.good_for(Purpose::ConfirmEmail)),
        };
        self.mailer.enqueue(conn, email.as_str(), &letter, self.good_for(Purpose::ConfirmEmail).std())
    }

    /// The account goes by the new address from now on; the old one is told, with the way back. Links that were mailed
    /// to it die. `None` when the link is dead, or somebody else has the address by now.
    pub async fn confirm_email(&self, token: &str, client: Client) -> Result<Option<()>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let accounts = self.clone();
        self.sessions
            .write(move |change| {
                let Some((before, email)) = accounts.follow(change, Purpose::ConfirmEmail, &token_hash)?
                else {
                    return Ok(None);
                };
                let user = before.id;
                let about = About { email: Some(&before.email), ..About::default() };
                let notice = Notice::EmailChanged {
                    new: &email,
                    undo: accounts.make_link(change, user, Purpose::UndoEmail, about)?,
                    valid_for: in_words(accounts.good_for(Purpose::UndoEmail)),
                };
                accounts.tell(change, &before, &notice, &client)?;
                Entry::nobody(Act::EmailChanged, Some(user), &client).write(change)?;
                Ok(Some(()))
            })
            .await
    }

    /// The old address counts again, everybody is logged out, and a link to set a new password goes there. Every other
    /// way to another address dies with it. `None` when the link is dead, or somebody else has the address by now.
    pub async fn restore_email(&self, token: &str, client: Client) -> Result<Option<()>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let accounts = self.clone();
        self.sessions
            .write(move |change| {
                let Some((before, email)) = accounts.follow(change, Purpose::UndoEmail, &token_hash)? else {
                    return Ok(None);
                };
                let user = before.id;
                queries::delete_links(change, user, &[Purpose::NotMe, Purpose::UndoEmail])?;
                // Those that went to an address a thief chose would drop the owner's next password.
                queries::delete_links_elsewhere(change, user, Purpose::UndoFactor, &email)?;
                queries::forget_browsers(change, user, None)?;
                accounts.sessions.revoke_all(change, user.principal(), None)?;
                Entry::nobody(Act::EmailRestored, Some(user), &client).write(change)?;
                accounts.begin_anew(change, user, Some(email.as_str()), &client)?;
                Ok(Some(()))
            })
            .await
    }

    /// Consumes the link and gives the account the address it is about. Answers who was written to before, and the
    /// address that counts now; `None` when the link is dead, or somebody else has the address by now.
    fn follow(
        &self,
        change: &mut Change<'_>,
        purpose: Purpose,
        token_hash: &[u8],
    ) -> Result<Option<(Addressee, Email)>, Fault> {
        let Some(link) = links::take(change, purpose, token_hash)? else { return Ok(None) };
        let user = UserId(link.user);
        let Some(before) = queries::addressee(change, user)? else { return Ok(None) };
        let Some(email) = link.email.as_deref().and_then(|text| Email::parse(text).ok()) else {
            return Ok(None);
        };
        if !queries::set_email(change, user, &email)? {
            return Ok(None);
        }
        self.forget_mailed(change, user, &before.email, &email)?;
        Ok(Some((before, email)))
    }

    /// What was mailed to an address opens nothing once the account goes by another.
    fn forget_mailed(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        old: &str,
        new: &Email,
    ) -> Result<(), Fault> {
        queries::delete_user_tokens(conn, user)?;
        queries::delete_links(conn, user, &[Purpose::Unlock, Purpose::ConfirmEmail])?;
        queries::drop_registrations(conn, Email::stored(old).key())?;
        queries::drop_registrations(conn, new.key())
    }
}
