//! Logging in: the password, the pending second step, confirming, logging out, and the browsers a user is known in.

mod authenticate;
mod confirm;
mod ended_session;
mod known_devices;
mod lock_out;
mod log_ins;
mod log_out;
mod missing_step;
mod passkey;
mod pending;
pub(crate) mod queries;
mod report_session;

pub(crate) use authenticate::Checked;
pub use authenticate::{Attempt, LogInRefusal, Opened};
pub use confirm::ConfirmRefusal;
pub use ended_session::EndedSession;
pub use known_devices::Proof;
pub use log_ins::LogIns;
pub use pending::{LoggedIn, PendingHash, PendingKey, PendingRefusal, SecondSteps};

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
    pub(crate) notices: Notices,
    pub(crate) cleaner: Cleaner,
    pub(crate) throttle: Throttle,
    pub(crate) factors: Factors,
    pub(crate) passwords: Passwords,
    log_ins: Arc<LogIns>,
}

impl Login {
    pub(crate) fn new(cleaner: &Cleaner, passwords: Passwords) -> Self {
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
            log_ins: Arc::default(),
        }
    }

    /// How attempts to log in ended.
    pub fn log_ins(&self) -> &LogIns {
        &self.log_ins
    }
}
