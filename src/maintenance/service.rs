//! What the operations of this room share.

use std::sync::Arc;

use crate::config::{Settings, Span, ThrottleLimits};
use crate::db::Db;
use crate::factors::Factors;
use crate::identity::User;
use crate::login::Login;
use crate::mail::Mailer;
use crate::secret::Secret;
use crate::users::Users;
use latchkey_sessions::Store;

/// Deletes expired rows, reseals secrets, and scans the database.
#[derive(Clone)]
pub struct Maintenance {
    pub(super) db: Db,
    pub(super) sessions: Store<User>,
    pub(super) mailer: Mailer,
    pub(super) users: Arc<Users>,
    pub(super) login: Arc<Login>,
    pub(super) factors: Arc<Factors>,
    pub(super) limits: ThrottleLimits,
    /// How long audit events are kept; `None` for ever.
    pub(super) keep_audit_events: Option<Span>,
    pub(super) secret: Secret,
}

impl Maintenance {
    pub(crate) fn new(users: &Arc<Users>, login: &Arc<Login>, settings: &Settings) -> Self {
        Self {
            db: login.db.clone(),
            sessions: login.sessions.clone(),
            mailer: login.mailer.clone(),
            users: users.clone(),
            login: login.clone(),
            factors: login.factors.clone(),
            limits: settings.throttle,
            keep_audit_events: settings.audit.keep,
            secret: settings.secret.clone(),
        }
    }
}
