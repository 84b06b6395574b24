//! What the operations of this room share.

use std::sync::Arc;

use crate::cleanup::Cleaner;
use crate::db::Db;
use crate::identity::User;
use crate::login::Login;
use crate::notices::Notices;
use crate::passwords::Passwords;
use crate::throttle::Throttle;
use latchkey_sessions::Store;

/// Gives an account back to its owner. Only mailed links and the operator call it.
#[derive(Clone)]
pub struct Recovery {
    pub(super) db: Db,
    pub(super) sessions: Store<User>,
    pub(super) notices: Arc<Notices>,
    pub(super) cleaner: Arc<Cleaner>,
    pub(super) throttle: Arc<Throttle>,
    pub(super) login: Arc<Login>,
    pub(super) passwords: Arc<Passwords>,
}

impl Recovery {
    pub(crate) fn new(login: &Arc<Login>) -> Self {
        Self {
            db: login.db.clone(),
            sessions: login.sessions.clone(),
            notices: login.notices.clone(),
            cleaner: login.cleaner.clone(),
            throttle: login.throttle.clone(),
            login: login.clone(),
            passwords: login.passwords.clone(),
        }
    }
}
