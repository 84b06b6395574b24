//! Lists the apps that a user has entered, and leaves one from the list of sessions.

use crate::apps::app::App;
use crate::apps::handoff_codes::record_left;
use crate::apps::service::Apps;
use crate::db::Fault;
use crate::identity::{Client, LiveUser, UserId, UserSession as _};
use latchkey_sessions::{Handle, ScopedKeyRecord};

impl Apps {
    /// The keys of the user's live sessions, most recently used first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn entered(&self, user: UserId) -> Result<Vec<ScopedKeyRecord>, Fault> {
        let (store, principal) = (self.sessions.clone(), user.principal());
        self.db.read(move |conn| store.scoped_keys(conn, principal)).await
    }

    /// Ends the keys that one of the user's sessions has for an app; `false` if there are none.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn leave_on(
        &self,
        live: LiveUser,
        session: Handle,
        app: &App,
        client: Client,
    ) -> Result<bool, Fault> {
        let (store, id, slug) = (self.sessions.clone(), app.id, app.slug.clone());
        self.sessions
            .write(move |tx| {
                if crate::identity::queries::session_owner(tx, session)? != Some(live.user_id())
                    || store.end_scoped_keys_of_session(tx, session, Some(id.0))? == 0
                {
                    return Ok(false);
                }
                record_left(tx, &live, session, &slug, &client)?;
                Ok(true)
            })
            .await
    }
}
