//! What a person may change about themselves without proving anything again.

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::identity::{Client, LiveUser, Name};
use crate::users::queries::UserRow;
use crate::users::{Users, queries};

impl Users {
    pub async fn rename(&self, live: LiveUser, name: Name, client: Client) -> Result<(), Fault> {
        if name.as_str() == live.owner.name {
            return Ok(());
        }
        self.sessions
            .write(move |tx| {
                queries::set_name(tx, live.owner.id, &name)?;
                NewEvent::by_owner(AuditAction::NameChanged, live.owner.id, &client)
                    .session(live.record.handle)
                    .write(tx)
            })
            .await
    }

    /// What is kept of the person beside what came with their session.
    pub async fn own_user(&self, live: &LiveUser) -> Result<Option<UserRow>, Fault> {
        let id = live.owner.id;
        self.db.read(move |conn| queries::user_row(conn, id)).await
    }

    /// The person's address: for password managers, and as a word their password must not be made of.
    pub async fn email_of(&self, live: &LiveUser) -> Result<Option<String>, Fault> {
        let id = live.owner.id;
        self.db
            .read(move |conn| Ok(crate::identity::queries::recipient(conn, id)?.map(|person| person.email)))
            .await
    }
}
