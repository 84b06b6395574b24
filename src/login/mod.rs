//! Logging in with a password or a passkey, the second factor, confirming a session, logging out, and known devices.

mod authenticate;
mod confirm;
mod counters;
mod ended_session;
mod known_devices;
mod log_out;
mod open_session;
mod owner_alert;
mod passkey;
mod pending_login;
pub(crate) mod queries;
mod report_session;
mod second_factor;
mod undo_factor;
mod unfinished_login;
mod unlock;
mod verify_password;

pub use authenticate::{Authenticated, LoginAttempt, LoginRefusal};
pub use confirm::ConfirmRefusal;
pub use counters::LoginCounters;
pub use ended_session::EndedSession;
pub use known_devices::DeviceCookie;
pub use open_session::OpenedSession;
pub use pending_login::{PendingHash, PendingKey, SecondFactorOptions};
pub use second_factor::SecondFactorRefusal;

use std::sync::Arc;

use crate::cleanup::Cleaner;
use crate::db::Db;
use crate::factors::Factors;
use crate::identity::User;
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
    counters: Arc<LoginCounters>,
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
