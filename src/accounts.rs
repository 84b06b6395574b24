//! The services that work on users, composed. Each belongs to a room and does not know those to its right.

use crate::audit::Audit;
use crate::cleanup::Cleaner;
use crate::config::{Misconfigured, Settings};
use crate::db::Db;
use crate::factors::Factors;
use crate::identity::User;
use crate::login::Login;
use crate::mail::Mailer;
use crate::notices::{MailWriter, Notices};
use crate::passwords::Passwords;
use crate::throttle::Throttle;
use crate::users::{Admin, Maintenance, Users};
use latchkey_sessions::{Policy, Store};

/// Cloning shares everything.
#[derive(Clone)]
pub struct Accounts {
    db: Db,
    sessions: Store<User>,
    mailer: Mailer,
    pub passwords: Passwords,
    pub audit: Audit,
    pub notices: Notices,
    pub factors: Factors,
    pub login: Login,
    pub users: Users,
    pub admin: Admin,
    pub maintenance: Maintenance,
}

impl Accounts {
    /// * `writer`: writes the sentences of emails.
    ///
    /// # Errors
    /// If a setting cannot be used.
    pub fn new(
        db: Db,
        mailer: Mailer,
        settings: &Settings,
        writer: MailWriter,
    ) -> Result<Self, Misconfigured> {
        let sessions = Store::builder(db.clone()).owner().policy(policy(settings)).build();
        let passwords = Passwords::new(settings)?;
        let throttle = Throttle::new(settings);
        let audit = Audit::new(db.clone());
        let notices = Notices::new(db.clone(), mailer.clone(), settings, writer);
        let factors = Factors::new(sessions.clone(), notices.clone(), throttle, settings)?;
        let login = Login::new(&Cleaner::new(&factors), passwords.clone());
        let users = Users::new(&login, settings);
        let admin = Admin::new(&login, settings);
        let maintenance = Maintenance::new(&users, settings);
        Ok(Self {
            db,
            sessions,
            mailer,
            passwords,
            audit,
            notices,
            factors,
            login,
            users,
            admin,
            maintenance,
        })
    }

    pub fn sessions(&self) -> &Store<User> {
        &self.sessions
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    pub fn mailer(&self) -> &Mailer {
        &self.mailer
    }
}

fn policy(settings: &Settings) -> Policy {
    let limits = settings.sessions;
    Policy {
        idle: limits.idle.std(),
        absolute: limits.absolute.std(),
        remembered_idle: limits.remembered_idle.std(),
        remembered_absolute: limits.remembered_absolute.std(),
        touch_every: limits.touch_every.std(),
        keep_ended: limits.keep_ended.std(),
        cached: limits.cached,
        // `maintenance` sweeps, and records when.
        sweep_every: None,
        ..Policy::default()
    }
}
