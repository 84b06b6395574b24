//! Leaving: delete your account, think better of it, or be gone (docs/decisions/deleted-people.md).

use time::macros::format_description;

use crate::audit::{Act, Entry};
use crate::cleanup::{Cleanup, Request};
use crate::db::Fault;
use crate::identity::{Answer, Client, Email, LiveUser, UserId};
use crate::notices::Notice;
use crate::users::{Users, queries};
use latchkey_sessions::SessionTx;

/// People deleted in one upkeep, each in a transaction of its own.
const AT_ONCE: usize = 200;

#[derive(Debug, PartialEq, Eq)]
pub enum LeaveRefusal {
    /// What was typed is not their address.
    OtherAddress,
    /// Without them nobody could administer.
    LastAdmin,
}

impl Users {
    /// Marks the account for deletion, ends every session and every link at once, and tells its owner.
    pub async fn leave(&self, live: LiveUser, typed: String, client: Client) -> Answer<(), LeaveRefusal> {
        let users = self.clone();
        self.sessions.write(move |change| users.mark_leaving(change, live.owner.id, &typed, &client)).await
    }

    fn mark_leaving(
        &self,
        change: &mut SessionTx<'_>,
        user: UserId,
        typed: &str,
        client: &Client,
    ) -> Answer<(), LeaveRefusal> {
        // Before the user, as everybody who changes administrators does: two who leave at once wait for each other.
        let admins = queries::lock_admins(change)?;
        if !crate::identity::queries::lock_user(change, user)? {
            return Ok(Ok(()));
        }
        let Some(person) = crate::identity::queries::addressee(change, user)? else { return Ok(Ok(())) };
        if !Email::parse(typed).is_ok_and(|typed| typed.key() == Email::stored(&person.email).key()) {
            return Ok(Err(LeaveRefusal::OtherAddress));
        }
        if admins == [user] {
            return Ok(Err(LeaveRefusal::LastAdmin));
        }
        let Some(until) = queries::set_leaving(change, user, self.leaving.grace.std())? else {
            return Ok(Ok(()));
        };
        self.cleaner.clean_up(change, &Request::new(Cleanup::Delete, user, client).by(Some(user)))?;
        Entry::own(Act::DeletionRequested, user, client).write(change)?;
        let until = until
            .format(format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC"))
            .map_err(Fault::bug)?;
        self.notices.tell(change, &person, &Notice::Leaving { until }, client)?;
        Ok(Ok(()))
    }

    /// Deletes whose time to think is over; answers how many. What the trail keeps of them is pseudonymous.
    pub(crate) async fn delete_the_gone(&self) -> Result<usize, Fault> {
        for deleted in 0..AT_ONCE {
            let users = self.clone();
            let one = self
                .sessions
                .write(move |change| {
                    let Some((user, email)) = queries::lock_one_gone(change)? else { return Ok(false) };
                    users.sessions.delete_all(change, user.principal())?;
                    users.mailer.forget(change, &email.key().spellings())?;
                    queries::delete_person(change, user, email.key())?;
                    Entry::on(Act::Deleted, None, user, &Client::operator()).write(change)?;
                    queries::erase_from_trail(change, user, email.key())?;
                    Ok(true)
                })
                .await?;
            if !one {
                return Ok(deleted);
            }
        }
        Ok(AT_ONCE)
    }
}
