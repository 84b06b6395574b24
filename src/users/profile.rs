//! The user's own profile. Changes of it need no confirmation.

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::identity::{Client, LiveUser, Name, UserSession as _};
use crate::users::queries::UserRow;
use crate::users::{Users, queries};

impl Users {
    pub async fn rename(&self, live: LiveUser, name: Name, client: Client) -> Result<(), Fault> {
        if name.as_str() == live.owner.name() {
            return Ok(());
        }
        self.sessions
            .write(move |tx| {
                queries::set_name(tx, live.user_id(), &name)?;
                NewEvent::by_owner(AuditAction::NameChanged, live.user_id(), &client)
                    .change(live.owner.name(), name.as_str())
                    .session(live.record.handle)
                    .write(tx)
            })
            .await
    }

    /// More of the user than is cached with the session.
    pub async fn own_user(&self, live: &LiveUser) -> Result<Option<UserRow>, Fault> {
        let id = live.user_id();
        self.db.read(move |conn| queries::user_row(conn, id)).await
    }

    /// The user's address: for password managers, and as a word that the password must not contain.
    pub async fn email_of(&self, live: &LiveUser) -> Result<Option<String>, Fault> {
        let id = live.user_id();
        self.db
            .read(move |conn| Ok(crate::identity::queries::recipient(conn, id)?.map(|person| person.email)))
            .await
    }
}
