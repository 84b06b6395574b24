//! Notify the owner of an account whose password is being guessed (docs/decisions/lock-out.md).

use uuid::Uuid;

use crate::audit::{Act, Entry};
use crate::db::Fault;
use crate::identity::UserId;
use crate::login::Login;
use crate::notices::{About, Notice, Purpose};
use crate::throttle::{Alarm, Budget};

impl Login {
    /// Notifies the owner of repeated wrong passwords, or that the password was locked. For an account that does not
    /// exist the same statements run, so that the time does not reveal whether it exists.
    pub(crate) async fn send_alarm_notice(&self, alarm: Alarm, budget: &Budget) -> Result<(), Fault> {
        if !self.mailer.delivers() && matches!(alarm, Alarm::Guessing { .. }) {
            return Ok(());
        }
        let (login, user, client) = (self.clone(), budget.user(), budget.client.clone());
        self.db
            .write(move |conn| {
                let Some(user) = user else {
                    let absent = UserId(Uuid::nil());
                    crate::identity::queries::addressee(conn, absent)?;
                    crate::notices::queries::delete_links(conn, absent, &[Purpose::Unlock])?;
                    return login.notices.mail_nobody(conn);
                };
                let Some(owner) = crate::identity::queries::addressee(conn, user)? else { return Ok(()) };
                let unlock = login.notices.make_link(conn, user, Purpose::Unlock, About::default())?;
                let notice = match alarm {
                    Alarm::Guessing { failures } => Notice::RepeatedFailures { failures, unlock },
                    Alarm::Locked { failures, outside } => {
                        Entry::nobody(Act::PasswordLocked, Some(user), &client).write(conn)?;
                        Notice::PasswordLocked { failures, outside, unlock }
                    }
                };
                login.notices.tell(conn, &owner, &notice, &client)
            })
            .await
    }
}
