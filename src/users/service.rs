//! What the operations on one's own account share.

use std::sync::Arc;

use crate::cleanup::Cleaner;
use crate::config::{DeletionSettings, Settings, in_words};
use crate::db::Db;
use crate::factors::Factors;
use crate::identity::User;
use crate::login::Login;
use crate::mail::Mailer;
use crate::notices::Notices;
use crate::passwords::Passwords;
use crate::throttle::Throttle;
use latchkey_sessions::Store;

/// What users do with their own account.
#[derive(Clone)]
pub struct Users {
    pub(super) db: Db,
    pub(super) sessions: Store<User>,
    pub(super) mailer: Mailer,
    pub(super) notices: Arc<Notices>,
    pub(super) cleaner: Arc<Cleaner>,
    pub(super) throttle: Arc<Throttle>,
    pub(super) factors: Arc<Factors>,
    pub(super) login: Arc<Login>,
    pub(super) passwords: Arc<Passwords>,
    pub(super) leaving: DeletionSettings,
}

impl Users {
    pub(crate) fn new(login: &Arc<Login>, settings: &Settings) -> Self {
        Self {
            db: login.db.clone(),
            sessions: login.sessions.clone(),
            mailer: login.mailer.clone(),
            notices: login.notices.clone(),
            cleaner: login.cleaner.clone(),
            throttle: login.throttle.clone(),
            factors: login.factors.clone(),
            login: login.clone(),
            passwords: login.passwords.clone(),
            leaving: settings.leaving,
        }
    }

    /// How long a requested deletion can be cancelled, as text.
    pub fn deletion_grace(&self) -> String {
        in_words(self.leaving.grace)
    }
}
