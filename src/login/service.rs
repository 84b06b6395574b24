//! What the operations of this room share.

use std::sync::Arc;

use crate::cleanup::Cleaner;
use crate::db::Db;
use crate::factors::Factors;
use crate::identity::User;
use crate::login::counters::LoginCounters;
use crate::mail::Mailer;
use crate::notices::Notices;
use crate::passwords::Passwords;
use crate::throttle::Throttle;
use latchkey_sessions::Store;

/// Opens, confirms and ends sessions.
#[derive(Clone)]
pub struct Login {
    pub(crate) db: Db,
    pub(crate) sessions: Store<User>,
    pub(crate) mailer: Mailer,
    pub(crate) notices: Arc<Notices>,
    pub(crate) cleaner: Arc<Cleaner>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) factors: Arc<Factors>,
    pub(crate) passwords: Arc<Passwords>,
    pub(super) counters: Arc<LoginCounters>,
}

impl Login {
    pub(crate) fn new(cleaner: &Arc<Cleaner>, passwords: Arc<Passwords>) -> Self {
        let factors = &cleaner.factors;
        Self {
            db: factors.db.clone(),
            sessions: factors.sessions.clone(),
            mailer: factors.notices.mailer.clone(),
            notices: factors.notices.clone(),
            cleaner: cleaner.clone(),
            throttle: factors.throttle.clone(),
            factors: factors.clone(),
            passwords,
            counters: Arc::default(),
        }
    }

    pub fn counters(&self) -> &LoginCounters {
        &self.counters
    }
}
