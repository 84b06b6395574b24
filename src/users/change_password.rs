//! Change one's own password.

use crate::audit::{Act, Entry};
use crate::cleanup::{Cleanup, Request};
use crate::identity::{Answer, Client, Email, LiveUser};
use crate::login::Checked;
use crate::notices::Notice;
use crate::passwords::Weak;
use crate::throttle::{Budget, Wait};
use crate::users::Users;
use latchkey_sessions::Key;

#[derive(Debug, PartialEq, Eq)]
pub enum ChangeRefusal {
    WrongPassword,
    /// The new one is the current one.
    Same,
    Weak(Weak),
    TooMany(Wait),
    SessionLost,
}

impl Users {
    /// Sets a new password, rotates this session, cleans up everything that the old one opened and tells the owner by
    /// mail: one transaction (ASVS 5.0 6.2.3, 7.4.3).
    pub async fn change_password(
        &self,
        live: LiveUser,
        current: String,
        new: String,
        client: Client,
    ) -> Answer<Key, ChangeRefusal> {
        let user = live.owner.id;
        let Some(person) = self.db.read(move |conn| crate::identity::queries::addressee(conn, user)).await?
        else {
            return Ok(Err(ChangeRefusal::SessionLost));
        };
        let chosen = match self.passwords.choose(&new, &person.name, &person.email) {
            Ok(chosen) => chosen,
            Err(weak) => return Ok(Err(ChangeRefusal::Weak(weak))),
        };
        let (known, budget, checked, counted) =
            self.login.check_own_password(&live, &current, &client).await?;
        match checked {
            Checked::Yes { .. } if new == current => {
                // The proof was good: it must not count as a failure.
                let given_back = self.db.write(move |conn| budget.give_back(conn)).await;
                counted.settle(given_back)?;
                return Ok(Err(ChangeRefusal::Same));
            }
            Checked::Yes { .. } => {}
            Checked::TooMany(wait) => return Ok(Err(ChangeRefusal::TooMany(wait))),
            Checked::No => {
                self.db
                    .write(move |conn| {
                        Entry::own(Act::ConfirmRefused, user, &client).session(live.record.handle).write(conn)
                    })
                    .await?;
                return Ok(Err(ChangeRefusal::WrongPassword));
            }
        }
        let hash = match self.passwords.hash(chosen).await {
            Ok(hash) => hash,
            Err(busy) => return counted.settle(Err(busy)),
        };
        let users = self.clone();
        let changed = self
            .sessions
            .write(move |change| {
                if !crate::login::queries::lock_with_hash(change, user, known.hash.as_ref())? {
                    return Ok(Err(ChangeRefusal::SessionLost));
                }
                let Some(key) = users.sessions.rotate(change, &live, true)? else {
                    return Ok(Err(ChangeRefusal::SessionLost));
                };
                Budget::forgive(change, user, Email::stored(&person.email).key(), &users.throttle.buckets)?;
                let request = Request::new(Cleanup::NewPassword, user, &client)
                    .by(Some(user))
                    .session(live.record.handle)
                    .here();
                users.cleaner.clean_up(change, &request)?;
                crate::login::queries::set_password(change, user, &hash, true)?;
                Entry::own(Act::PasswordChanged, user, &client).session(live.record.handle).write(change)?;
                users.notices.tell(change, &person, &Notice::PasswordChanged, &client)?;
                Ok(Ok(key))
            })
            .await;
        counted.settle(changed)
    }
}
