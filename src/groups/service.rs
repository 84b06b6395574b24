//! The state that the operations on groups share.

use crate::db::Db;
use crate::identity::User;
use latchkey_sessions::Store;

/// The groups of users.
#[derive(Clone)]
pub struct Groups {
    pub(super) db: Db,
    pub(super) sessions: Store<User>,
}

impl Groups {
    pub(crate) fn new(sessions: &Store<User>) -> Self {
        Self { db: sessions.db().clone(), sessions: sessions.clone() }
    }
}
