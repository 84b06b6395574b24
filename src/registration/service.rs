//! What the operations of this room share.

use std::sync::Arc;

use crate::config::{LinkLifetimes, RegistrationMode, Settings};
use crate::db::Db;
use crate::mail::Mailer;
use crate::notices::Notices;
use crate::passwords::Passwords;
use crate::throttle::Throttle;

/// Creates accounts.
#[derive(Clone)]
pub struct Registration {
    pub(super) db: Db,
    pub(super) mailer: Mailer,
    pub(super) notices: Arc<Notices>,
    pub(super) throttle: Arc<Throttle>,
    pub(super) passwords: Arc<Passwords>,
    pub(super) mode: RegistrationMode,
    pub(super) lifetimes: LinkLifetimes,
}

impl Registration {
    pub(crate) fn new(
        notices: &Arc<Notices>,
        throttle: &Arc<Throttle>,
        passwords: &Arc<Passwords>,
        settings: &Settings,
    ) -> Self {
        Self {
            db: notices.db.clone(),
            mailer: notices.mailer.clone(),
            notices: notices.clone(),
            throttle: throttle.clone(),
            passwords: passwords.clone(),
            mode: settings.registration,
            lifetimes: settings.tokens,
        }
    }

    pub fn mode(&self) -> RegistrationMode {
        self.mode
    }

    /// Whether visitors can register without an invitation: allowed, and mail is on to verify the address.
    pub fn is_open(&self) -> bool {
        self.mode == RegistrationMode::Open && self.mailer.delivers()
    }
}
