//! What a person may change about themselves without proving anything again.

use super::audit::Entry;
use super::{Accounts, Act, Client, LiveUser, Name, queries};
use crate::db::Fault;

impl Accounts {
    pub async fn rename(&self, live: LiveUser, name: Name, client: Client) -> Result<(), Fault> {
        if name.as_str() == live.owner.name {
            return Ok(());
        }
        self.sessions
            .write(move |change| {
                queries::set_name(change, live.owner.id, &name)?;
                Entry::own(Act::NameChanged, live.owner.id, &client).session(live.record.handle).write(change)
            })
            .await
    }

    /// When the person registered.
    pub async fn since(&self, live: &LiveUser) -> Result<Option<time::OffsetDateTime>, Fault> {
        let id = live.owner.id;
        self.db.read(move |conn| Ok(queries::user_row(conn, id)?.map(|row| row.created_at))).await
    }
}
