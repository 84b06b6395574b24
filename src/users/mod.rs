//! Users: registration, changes and deletion of accounts, administration, import, export, and maintenance.

mod admin;
mod change_email;
mod change_password;
mod delete_account;
mod email_keys;
mod export;
mod import;
mod invite;
mod maintenance;
mod profile;
mod queries;
mod register;
mod reset_password;
mod secret_scan;
mod setup;

pub use admin::{AdminRefusal, UserDetails};
pub use change_email::ChangeEmailRefusal;
pub use change_password::ChangePasswordRefusal;
pub use delete_account::DeleteAccountRefusal;
pub use email_keys::IdnKeyCounts;
pub use import::{ImportError, ImportRow};
pub use invite::{InviteRefusal, OpenInvitation};
pub use maintenance::SealCounts;
pub use queries::{DailyFigures, DayCount, ImportedUser, InvitationRow, LastPurge, UserRow};
pub use register::{NewUser, RegisterRefusal, VerifyLink, VerifyRefusal};
pub use reset_password::ResetRefusal;
pub use secret_scan::{ColumnKind, ScannedColumn};
pub use setup::SetupRefusal;

use std::sync::Arc;

use crate::cleanup::Cleaner;
use crate::config::{
    DeletionSettings, LinkLifetimes, RegistrationMode, Settings, Span, ThrottleLimits, in_words,
};
use crate::db::Db;
use crate::factors::Factors;
use crate::identity::User;
use crate::login::Login;
use crate::mail::Mailer;
use crate::notices::Notices;
use crate::passwords::Passwords;
use crate::secret::Secret;
use crate::throttle::Throttle;
use latchkey_sessions::Store;

/// What users do with their own account.
#[derive(Clone)]
pub struct Users {
    db: Db,
    sessions: Store<User>,
    mailer: Mailer,
    notices: Arc<Notices>,
    cleaner: Arc<Cleaner>,
    throttle: Arc<Throttle>,
    factors: Arc<Factors>,
    login: Arc<Login>,
    passwords: Arc<Passwords>,
    registration: RegistrationMode,
    leaving: DeletionSettings,
    tokens: LinkLifetimes,
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
            registration: settings.registration,
            leaving: settings.leaving,
            tokens: settings.tokens,
        }
    }

    pub fn registration(&self) -> RegistrationMode {
        self.registration
    }

    /// Whether visitors can register without an invitation: allowed, and mail is on to verify the address.
    pub fn registration_is_open(&self) -> bool {
        self.registration == RegistrationMode::Open && self.mailer.delivers()
    }

    /// How long a requested deletion can be cancelled, as text.
    pub fn deletion_grace(&self) -> String {
        in_words(self.leaving.grace)
    }
}

/// What administrators and operators do with the accounts of others.
#[derive(Clone)]
pub struct Administration {
    db: Db,
    sessions: Store<User>,
    mailer: Mailer,
    notices: Arc<Notices>,
    cleaner: Arc<Cleaner>,
    login: Arc<Login>,
    tokens: LinkLifetimes,
}

impl Administration {
    pub(crate) fn new(login: &Arc<Login>, settings: &Settings) -> Self {
        Self {
            db: login.db.clone(),
            sessions: login.sessions.clone(),
            mailer: login.mailer.clone(),
            notices: login.notices.clone(),
            cleaner: login.cleaner.clone(),
            login: login.clone(),
            tokens: settings.tokens,
        }
    }
}

/// Deletes expired rows, reseals secrets, and scans the database.
#[derive(Clone)]
pub struct Maintenance {
    db: Db,
    sessions: Store<User>,
    mailer: Mailer,
    users: Arc<Users>,
    login: Arc<Login>,
    factors: Arc<Factors>,
    limits: ThrottleLimits,
    /// How long audit events are kept; `None` for ever.
    keep_audit_events: Option<Span>,
    secret: Secret,
}

impl Maintenance {
    pub(crate) fn new(users: &Arc<Users>, settings: &Settings) -> Self {
        Self {
            db: users.db.clone(),
            sessions: users.sessions.clone(),
            mailer: users.mailer.clone(),
            users: users.clone(),
            login: users.login.clone(),
            factors: users.factors.clone(),
            limits: settings.throttle,
            keep_audit_events: settings.audit.keep,
            secret: settings.secret.clone(),
        }
    }
}
