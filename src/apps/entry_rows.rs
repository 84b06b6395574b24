//! An entry before it is stored, and as it is taken out.

use diesel::prelude::Queryable;
use latchkey_sessions::Handle;
use uuid::Uuid;

use crate::apps::ids::AppId;
use crate::db::time::Moment;

/// A session may enter an app.
pub struct NewEntry {
    pub session: Handle,
    pub app: AppId,
    /// The origin that asked, as it is registered.
    pub origin: String,
    /// The hash of the state that the browser keeps on that origin.
    pub state_hash: [u8; 32],
    /// Where the user goes on, on that origin.
    pub path: String,
    /// When the owner of the session last proved their identity. The key is as old as this.
    pub proved_at: Moment,
}

/// A stored entry, which is deleted.
#[derive(Queryable)]
pub(super) struct TakenEntry {
    pub session: Uuid,
    pub app: Uuid,
    pub origin: String,
    pub state_hash: Vec<u8>,
    pub path: String,
    pub proved_at: Moment,
    pub is_fresh: bool,
}
