//! An entry before it is stored, and as it is read and deleted.

use diesel::prelude::Queryable;
use latchkey_sessions::Handle;
use uuid::Uuid;

use crate::apps::ids::AppId;
use crate::db::time::Moment;

/// The request of a session to enter an app.
pub struct NewHandoff {
    pub session: Handle,
    pub app: AppId,
    /// The origin that asked, as it is registered.
    pub origin: String,
    /// The hash of the state that the browser keeps on that origin.
    pub state_hash: [u8; 32],
    /// The path on that origin where the user continues.
    pub path: String,
    /// When the owner of the session last proved their identity. The key records this time.
    pub proved_at: Moment,
}

/// A stored entry, which reading it deletes.
#[derive(Queryable)]
pub(super) struct StoredHandoff {
    pub session: Uuid,
    pub app: Uuid,
    pub origin: String,
    pub state_hash: Vec<u8>,
    pub path: String,
    pub proved_at: Moment,
    pub is_fresh: bool,
}
