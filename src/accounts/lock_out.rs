//! A password that was guessed at too often: its owner is told, and unlocks it (NIST SP 800-63B-4 §3.2.2;
//! docs/decisions/lock-out.md).

use uuid::Uuid;

use super::audit::Entry;
use super::browsers::Proof;
use super::cleanup::{Cleanup, Request};
use super::lanes::{Lane, OUTSIDE};
use super::links::{self, About, Purpose};
use super::notices::Notice;
use super::throttle::{Alarm, Budget};
use super::{Accounts, Act, AdminRefusal, Answer, Client, Email, UserId, queries};
use crate::db::Fault;
use crate::secret::Token;

impl Accounts {
    /// Wrong passwords began to pile up, or were one too many: the owner hears of it. For an account that does not
    /// exist the same work is done for nobody, so that the time it takes tells nothing.
    pub(super) async fn raise(&self, alarm: Alarm, budget: &Budget) -> Result<(), Fault> {
        if !self.mailer.delivers() && matches!(alarm, Alarm::Guessing { .. }) {
            return Ok(());
        }
        let (accounts, user, client) = (self.clone(), budget.user(), budget.client.clone());
        self.db
            .write(move |conn| {
                let Some(user) = user else {
                    // The same statements as for an account that exists.
                    let absent = UserId(Uuid::nil());
                    queries::addressee(conn, absent)?;
                    queries::delete_links(conn, absent, &[Purpose::Unlock])?;
                    return accounts.mail_nobody(conn);
                };
                let Some(owner) = queries::addressee(conn, user)? else { return Ok(()) };
                let unlock = accounts.make_link(conn, user, Purpose::Unlock, About::default())?;
                let notice = match alarm {
                    Alarm::Guessing { failures } => Notice::RepeatedFailures { failures, unlock },
                    Alarm::Locked { failures, outside } => {
                        Entry::nobody(Act::PasswordLocked, Some(user), &client).write(conn)?;
                        Notice::PasswordLocked { failures, outside, unlock }
                    }
                };
                accounts.tell(conn, &owner, &notice, &client)
            })
            .await
    }

    /// Wrong passwords count from nought again. Whoever holds the link reads the owner's mail, so this browser is known
    /// from now on: strangers who go on guessing cannot keep the owner out. `None` when the link is dead.
    pub async fn unlock(&self, token: &str, client: Client) -> Result<Option<Proof>, Fault> {
        let Some(token_hash) = Token::hash_of(token) else { return Ok(None) };
        let accounts = self.clone();
        self.sessions
            .write(move |change| {
                let Some(link) = links::take(change, Purpose::Unlock, &token_hash)? else { return Ok(None) };
                let user = UserId(link.user);
                let Some(owner) = queries::addressee(change, user)? else { return Ok(None) };
                Budget::forgive(change, user, Email::stored(&owner.email).key(), &accounts.rules.buckets)?;
                accounts.clean_up(change, &Request::new(Cleanup::Unlock, user, &client))?;
                let met = accounts.meet(change, user, &client)?;
                Entry::nobody(Act::PasswordUnlocked, Some(user), &client).write(change)?;
                Ok(Some(met.proof))
            })
            .await
    }

    /// The same by the operator.
    pub async fn unlock_user(&self, user: UserId, client: Client) -> Answer<(), AdminRefusal> {
        let accounts = self.clone();
        self.sessions
            .write(move |change| {
                if !queries::lock_user(change, user)? {
                    return Ok(Err(AdminRefusal::NoSuchUser));
                }
                let Some(email) = queries::email_of(change, user)? else {
                    return Ok(Err(AdminRefusal::NoSuchUser));
                };
                Budget::forgive(change, user, email.key(), &accounts.rules.buckets)?;
                accounts.clean_up(change, &Request::new(Cleanup::Unlock, user, &client))?;
                Entry::on(Act::PasswordUnlocked, None, user, &client).write(change)?;
                Ok(Ok(()))
            })
            .await
    }

    /// Whether the password opens nothing but browsers that are known.
    pub(super) fn is_locked(&self, conn: &mut diesel::pg::PgConnection, user: UserId) -> Result<bool, Fault> {
        Ok(queries::standing(conn, user, OUTSIDE)?.left(&Lane::Outside, &self.rules.throttle) == 0)
    }
}
