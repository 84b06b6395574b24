//! Users: registering, changing and deleting users, administering them, and the maintenance of what is stored.

mod administer;
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

pub use administer::{AdminRefusal, UserPage};
pub use change_email::EmailRefusal;
pub use change_password::ChangeRefusal;
pub use delete_account::LeaveRefusal;
pub use email_keys::IdnKeys;
pub use import::{Exported, Newcomer, Unfit};
pub use invite::{InviteRefusal, Invited};
pub use maintenance::{Seals, Tidied};
pub use queries::{Day, InvitationRow, Numbers, UserRow};
pub use register::{NewPerson, RegisterRefusal, VerifyLink, VerifyRefusal};
pub use reset_password::ResetRefusal;
pub use secret_scan::{ColumnAtRest, Kind};
pub use setup::SetupRefusal;

use crate::cleanup::Cleaner;
use crate::config::{Leaving, Registration, Settings, Span, ThrottleLimits, Tokens, in_words};
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
    notices: Notices,
    cleaner: Cleaner,
    throttle: Throttle,
    factors: Factors,
    login: Login,
    passwords: Passwords,
    registration: Registration,
    leaving: Leaving,
    tokens: Tokens,
}

impl Users {
    pub(crate) fn new(login: &Login, settings: &Settings) -> Self {
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

    pub fn registration(&self) -> Registration {
        self.registration
    }

    /// Whether people can register without an invitation: allowed, and with mail to prove their address.
    pub fn registration_is_open(&self) -> bool {
        self.registration == Registration::Open && self.mailer.delivers()
    }

    /// How long a requested deletion can be cancelled, in words.
    pub fn grace(&self) -> String {
        in_words(self.leaving.grace)
    }
}

/// What administrators and operators do with the accounts of others.
#[derive(Clone)]
pub struct Admin {
    db: Db,
    sessions: Store<User>,
    mailer: Mailer,
    notices: Notices,
    cleaner: Cleaner,
    login: Login,
    tokens: Tokens,
}

impl Admin {
    pub(crate) fn new(login: &Login, settings: &Settings) -> Self {
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

/// Deletes what has ended, seals secrets anew, and checks what is stored.
#[derive(Clone)]
pub struct Maintenance {
    db: Db,
    sessions: Store<User>,
    mailer: Mailer,
    users: Users,
    login: Login,
    factors: Factors,
    limits: ThrottleLimits,
    /// How long the audit trail is kept; for ever by default.
    keep_trail: Option<Span>,
    secret: Secret,
}

impl Maintenance {
    pub(crate) fn new(users: &Users, settings: &Settings) -> Self {
        Self {
            db: users.db.clone(),
            sessions: users.sessions.clone(),
            mailer: users.mailer.clone(),
            users: users.clone(),
            login: users.login.clone(),
            factors: users.factors.clone(),
            limits: settings.throttle,
            keep_trail: settings.audit.keep,
            secret: settings.secret.clone(),
        }
    }
}
