//! Builds the services of all rooms. Each uses only services of rooms to its left.

use std::sync::Arc;

use crate::apps::Apps;
use crate::audit::Audit;
use crate::cleanup::Cleaner;
use crate::config::{Misconfigured, Settings};
use crate::db::Db;
use crate::factors::Factors;
use crate::groups::Groups;
use crate::identity::User;
use crate::login::Login;
use crate::mail::Mailer;
use crate::maintenance::Maintenance;
use crate::notices::{MailWriter, Notices};
use crate::passwords::Passwords;
use crate::recovery::Recovery;
use crate::registration::Registration;
use crate::throttle::Throttle;
use crate::tokens::Tokens;
use crate::users::{Administration, Users};
use latchkey_sessions::{Policy, Store};

/// Cloning shares everything.
#[derive(Clone)]
pub struct Accounts {
    db: Db,
    sessions: Store<User>,
    mailer: Mailer,
    pub passwords: Arc<Passwords>,
    pub audit: Audit,
    pub notices: Arc<Notices>,
    pub factors: Arc<Factors>,
    pub login: Arc<Login>,
    pub recovery: Recovery,
    pub registration: Registration,
    pub groups: Groups,
    pub users: Arc<Users>,
    pub admin: Administration,
    pub maintenance: Maintenance,
    pub apps: Apps,
    pub tokens: Tokens,
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
        let passwords = Arc::new(Passwords::new(settings)?);
        let throttle = Arc::new(Throttle::new(settings));
        let audit = Audit::new(db.clone());
        let notices = Arc::new(Notices::new(db.clone(), mailer.clone(), settings, writer));
        let factors = Arc::new(Factors::new(sessions.clone(), notices.clone(), throttle.clone(), settings)?);
        let cleaner = Arc::new(Cleaner::new(&factors));
        let login = Arc::new(Login::new(&cleaner, passwords.clone()));
        let users = Arc::new(Users::new(&login, settings));
        let recovery = Recovery::new(&login);
        let registration = Registration::new(&notices, &throttle, &passwords, settings);
        let admin = Administration::new(&login);
        let groups = Groups::new(&sessions);
        let apps = Apps::new(&sessions, mailer.origin(), settings);
        let tokens = Tokens::new(&sessions, &notices, &throttle);
        let maintenance = Maintenance::new(&users, &login, settings);
        Ok(Self {
            db,
            sessions,
            mailer,
            passwords,
            audit,
            notices,
            factors,
            login,
            recovery,
            registration,
            groups,
            users,
            admin,
            maintenance,
            apps,
            tokens,
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
