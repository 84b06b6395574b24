//! What the operations on groups share.

use crate::identity::User;
use latchkey_sessions::Store;

/// The groups of users.
#[derive(Clone)]
pub struct Groups {
    pub(super) sessions: Store<User>,
}

impl Groups {
    pub(crate) fn new(sessions: &Store<User>) -> Self {
        Self { sessions: sessions.clone() }
    }
}
