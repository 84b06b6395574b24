//! Entries: the codes with which a session of the portal gets a key for the origin of an app. A code works once, for a
//! minute, in the browser that asked for it.

use latchkey_sessions::{Handle, Key, SessionTx};
use subtle::ConstantTimeEq as _;

use crate::apps::app::App;
use crate::apps::handoff_rows::{NewHandoff, StoredHandoff};
use crate::apps::ids::{AppId, Slug};
use crate::apps::queries;
use crate::apps::service::Apps;
use crate::audit::{AuditAction, EventDetail, NewEvent};
use crate::config::AppDefaults;
use crate::db::{Failed, Fault, refuse};
use crate::identity::{Client, LiveUser, UserId, UserSession as _};
use crate::secret;

/// The values that a browser presents on the origin of an app.
pub struct PresentedCode {
    pub code: String,
    pub app: AppId,
    pub slug: Slug,
    pub origin: String,
    pub state_hash: [u8; 32],
}

/// A user has entered an app.
pub struct CompletedHandoff {
    pub key: Key,
    pub user: UserId,
    /// Whether the session outlives the browser.
    pub remember: bool,
    pub path: String,
}

/// The code has been used, has expired, or belongs to another browser or app, or its session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandoffRefusal;

impl StoredHandoff {
    fn is_for(&self, attempt: &PresentedCode) -> bool {
        let is_same_browser: bool = self.state_hash.ct_eq(&attempt.state_hash).into();
        self.is_fresh && is_same_browser && self.app == attempt.app.0 && self.origin == attempt.origin
    }
}

impl Apps {
    /// Creates an entry. Returns its code.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_handoff(&self, entry: NewHandoff) -> Result<String, Fault> {
        let code = secret::encode(&secret::random::<32>().map_err(Fault::bug)?);
        let code_hash = secret::sha256(code.as_bytes());
        self.db
            .write(move |conn| {
                queries::handoffs::drop_oldest(conn, entry.session)?;
                queries::handoffs::insert(conn, &code_hash, &entry, AppDefaults::ENTRY_LIVES)
            })
            .await?;
        Ok(code)
    }

    /// Exchanges a code for a key of the session. The code is used up, right or wrong.
    ///
    /// # Errors
    /// [`HandoffRefusal`], or a fault of the database.
    pub async fn enter(
        &self,
        attempt: PresentedCode,
        client: Client,
    ) -> Result<CompletedHandoff, Failed<HandoffRefusal>> {
        let store = self.sessions.clone();
        self.sessions
            .write_or_refuse(move |tx| {
                let code_hash = secret::sha256(attempt.code.as_bytes());
                // Lock the app first: a change of the app locks its row before the entries that it deletes.
                let is_enabled = queries::handoffs::lock_enabled(tx, attempt.app.0)?;
                let taken = queries::handoffs::take(tx, &code_hash)?;
                let Some(entry) = taken.filter(|entry| is_enabled && entry.is_for(&attempt)) else {
                    return refuse(HandoffRefusal);
                };
                let session = Handle(entry.session);
                // The session may have ended since the entry was created.
                let key = store.open_scoped_key(tx, session, entry.app, &entry.origin, entry.proved_at)?;
                let owner = queries::handoffs::owner(tx, session)?;
                let (Some(key), Some((user, remember))) = (key, owner) else { return refuse(HandoffRefusal) };
                NewEvent::by_owner(AuditAction::AppEntered, user, &client)
                    .session(session)
                    .data(&EventDetail::app(attempt.slug.as_str()))
                    .write(tx)?;
                Ok(CompletedHandoff { key, user, remember, path: entry.path })
            })
            .await
    }

    /// Ends the key with which `live` was found. Does nothing if it has ended already.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn leave(&self, live: LiveUser, key: String, app: &App, client: Client) -> Result<(), Fault> {
        let (store, id, slug) = (self.sessions.clone(), app.id, app.slug.clone());
        self.sessions
            .write(move |tx| {
                if store.end_scoped_key(tx, &key, id.0)? {
                    record_left(tx, &live, live.record.handle, &slug, &client)?;
                }
                Ok(())
            })
            .await
    }
}

/// Records that `live` has left an app with the keys of `session`.
pub(super) fn record_left(
    tx: &mut SessionTx<'_>,
    live: &LiveUser,
    session: Handle,
    app: &Slug,
    client: &Client,
) -> Result<(), Fault> {
    NewEvent::by_owner(AuditAction::AppLeft, live.user_id(), client)
        .session(session)
        .data(&EventDetail::app(app.as_str()))
        .write(tx)
}
