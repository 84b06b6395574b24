//! List, rename and remove one's own passkeys.

use crate::audit::{AuditAction, EventDetail, NewEvent};
use crate::db::Fault;
use crate::factors::passkeys::model::{Passkey, PasskeyId};
use crate::factors::{Factors, queries};
use crate::identity::{Client, LiveUser, Name, UserSession as _};
use crate::notices::{Notice, RemovedFactor};

impl Factors {
    /// Whether browsers make passkeys for the public URL.
    pub fn passkeys_available(&self) -> bool {
        self.relying_party.has_passkeys()
    }

    /// Oldest first.
    pub async fn passkeys(&self, live: &LiveUser) -> Result<Vec<Passkey>, Fault> {
        let user = live.user_id();
        self.db.read(move |conn| queries::passkeys_of(conn, user)).await
    }

    /// Whether the user can confirm with a passkey.
    pub async fn has_passkey(&self, live: &LiveUser) -> Result<bool, Fault> {
        let user = live.user_id();
        Ok(self.passkeys_available() && self.db.read(move |conn| queries::has_passkey(conn, user)).await?)
    }

    /// `false` if the user has no such passkey.
    pub async fn rename_passkey(
        &self,
        live: LiveUser,
        id: PasskeyId,
        name: Name,
        client: Client,
    ) -> Result<bool, Fault> {
        let user = live.user_id();
        self.db
            .write(move |conn| {
                let Some(before) = queries::rename_passkey(conn, user, id, name.as_str())? else {
                    return Ok(false);
                };
                NewEvent::by_owner(AuditAction::PasskeyRenamed, user, &client)
                    .session(live.record.handle)
                    .change(&before, name.as_str())
                    .write(conn)?;
                Ok(true)
            })
            .await
    }

    /// Refused from the commit on, even in a ceremony that has begun. `false` if the user has no such passkey.
    pub async fn remove_passkey(&self, live: LiveUser, id: PasskeyId, client: Client) -> Result<bool, Fault> {
        let (factors, user) = (self.clone(), live.user_id());
        self.db
            .write(move |conn| {
                if !factors.lock_if_live(conn, &live)? {
                    return Ok(false);
                }
                let Some(name) = queries::delete_passkey(conn, user, id)? else { return Ok(false) };
                factors.clean_up_after_removal(conn, user)?;
                NewEvent::by_owner(AuditAction::PasskeyRemoved, user, &client)
                    .session(live.record.handle)
                    .data(&EventDetail::passkey(&name))
                    .write(conn)?;
                factors.notify_user(conn, user, &Notice::FactorRemoved(RemovedFactor::Passkey), &client)?;
                Ok(true)
            })
            .await
    }
}
