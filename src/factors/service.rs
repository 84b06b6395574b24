//! What the operations of this room share.

use std::sync::Arc;

use crate::config::{Misconfigured, Settings};
use crate::db::Db;
use crate::factors::passkeys::RelyingParty;
use crate::identity::User;
use crate::notices::Notices;
use crate::secret::Secret;
use crate::throttle::Throttle;
use latchkey_sessions::Store;

/// Adds, verifies and removes second factors.
#[derive(Clone)]
pub struct Factors {
    pub(crate) db: Db,
    pub(crate) sessions: Store<User>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) throttle: Arc<Throttle>,
    pub(super) secret: Secret,
    pub(super) relying_party: RelyingParty,
}

impl Factors {
    pub(crate) fn new(
        sessions: Store<User>,
        notices: Arc<Notices>,
        throttle: Arc<Throttle>,
        settings: &Settings,
    ) -> Result<Self, Misconfigured> {
        Ok(Self {
            db: notices.db.clone(),
            sessions,
            notices,
            throttle,
            secret: settings.secret.clone(),
            relying_party: RelyingParty::new(&settings.server.public)?,
        })
    }
}
