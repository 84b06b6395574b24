//! People and their proofs. One operation a file, each a verb on [`Accounts`]; web and cli call these.

mod administer;
mod at_rest;
mod audit;
mod authenticate;
mod base32;
mod browsers;
mod chain;
mod change_email;
mod change_password;
mod cleanup;
mod client;
mod confirm;
mod counted;
mod email;
mod email_keys;
mod ended_session;
mod export;
mod factors;
pub mod hasher;
mod import;
mod invite;
mod lanes;
mod leave;
mod links;
mod lock_out;
mod log_ins;
mod log_out;
mod login_factor;
mod missing_step;
mod not_me;
mod notices;
mod passkeys;
pub mod password;
mod pending;
mod profile;
mod queries;
mod recovery_codes;
mod register;
mod reset_password;
mod setup;
mod throttle;
mod totp;
mod undo_factor;
mod upkeep;
mod user;

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{
    Leaving, Misconfigured, Origin, Passwords, Registration, Settings, Span, Throttle, Tokens,
};
use crate::db::{Db, Fault};
use crate::mail::Mailer;
use crate::secret::Secret;
use latchkey_sessions::{Live, Policy, Sessions};

pub use administer::{AdminRefusal, UserPage};
pub use at_rest::{ColumnAtRest, Kind};
pub use audit::{Act, Actor, Event};
pub use authenticate::{Attempt, LogInRefusal, Opened};
pub use browsers::Proof;
pub use chain::{Broken, Damage, ErasedUser, Head, Intact};
pub use change_email::EmailRefusal;
pub use change_password::ChangeRefusal;
pub use cleanup::{Cleanup, Fate, Reach, Trace, fate, table as cleanup_table};
pub use client::{Agent, Client};
pub use confirm::ConfirmRefusal;
pub use email::{Email, EmailKey, NoEmail};
pub use email_keys::IdnKeys;
pub use ended_session::EndedSession;
pub use factors::{CodeRefusal, Factors, TotpState};
pub use import::{Exported, Newcomer, Unfit};
pub use invite::{InviteRefusal, Invited};
pub use leave::LeaveRefusal;
pub use links::Purpose;
pub use log_ins::LogIns;
pub use login_factor::Factor;
pub use not_me::Disowned;
pub use passkeys::{
    Assertion, Attestation, Binding, Passkey, PasskeyAdded, PasskeyId, PasskeyRefusal, PasskeyStep,
    StepChange,
};
pub use pending::{LoggedIn, PendingHash, PendingKey, PendingRefusal, SecondSteps};
pub use queries::{Day, InvitationRow, Numbers, PendingEmail, UserRow};
pub use recovery_codes::{CodesRefusal, NewCodes, RecoveryCodes};
pub use register::{NewPerson, RegisterRefusal, VerifyLink, VerifyRefusal};
pub use reset_password::ResetRefusal;
pub use setup::SetupRefusal;
pub use throttle::Wait;
pub use totp::{Enrolment, TotpRefusal};
pub use upkeep::{Seals, Tidied};
pub use user::{Name, NoName, Role, User, UserId};

pub use hasher::{HashesRefused, Load};

use hasher::Hasher;
use passkeys::RelyingParty;
use password::{HashCost, Password, PasswordHash, PasswordPolicy, Strength, Weak};
use throttle::Buckets;
use user::Addressee;

/// A refusal is a value to show, a fault an error to pass up.
pub type Answer<T, R> = Result<Result<T, R>, Fault>;

/// A session with the user who owns it.
pub type LiveUser = Live<User>;

/// Everything the operations need. Cloning shares it.
#[derive(Clone)]
pub struct Accounts {
    db: Db,
    sessions: Sessions<User>,
    mailer: Mailer,
    hasher: Hasher,
    secret: Secret,
    relying: RelyingParty,
    rules: Rules,
    log_ins: Arc<LogIns>,
}

/// The numbers and switches the operations keep to.
#[derive(Clone)]
struct Rules {
    registration: Registration,
    passwords: PasswordPolicy,
    throttle: Throttle,
    tokens: Tokens,
    leaving: Leaving,
    /// How long the audit trail is kept; for ever where nobody says.
    keep_trail: Option<Span>,
    host: String,
    buckets: Buckets,
}

impl Accounts {
    pub fn new(db: Db, mailer: Mailer, settings: &Settings) -> Result<Self, Misconfigured> {
        let limits = settings.sessions;
        let sessions = Sessions::new(
            db.clone(),
            Policy {
                idle: limits.idle.std(),
                absolute: limits.absolute.std(),
                remembered_idle: limits.remembered_idle.std(),
                remembered_absolute: limits.remembered_absolute.std(),
                touch_every: limits.touch_every.std(),
                keep_ended: limits.keep_ended.std(),
                cached: limits.cached,
                ..Policy::default()
            },
        );
        Ok(Self {
            db,
            sessions,
            mailer,
            hasher: hasher(settings)?,
            secret: settings.secret.clone(),
            relying: RelyingParty::new(&settings.server.public)?,
            rules: Rules {
                registration: settings.registration,
                passwords: policy(settings.passwords),
                throttle: settings.throttle,
                tokens: settings.tokens,
                leaving: settings.leaving,
                keep_trail: settings.audit.keep,
                host: Origin::host(&settings.server.public).to_owned(),
                buckets: Buckets(settings.secret.clone()),
            },
            log_ins: Arc::default(),
        })
    }

    pub fn sessions(&self) -> &Sessions<User> {
        &self.sessions
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    pub fn mailer(&self) -> &Mailer {
        &self.mailer
    }

    /// How busy the hashing of passwords is.
    pub fn hashing(&self) -> Load {
        self.hasher.load()
    }

    /// Passwords that were not hashed.
    pub fn hashes_refused(&self) -> &HashesRefused {
        &self.hasher.refused
    }

    /// How attempts to log in ended.
    pub fn log_ins(&self) -> &LogIns {
        &self.log_ins
    }

    pub fn registration(&self) -> Registration {
        self.rules.registration
    }

    /// Whether people can register without an invitation: allowed, and with mail to prove their address.
    pub fn registration_is_open(&self) -> bool {
        self.rules.registration == Registration::Open && self.mailer.delivers()
    }

    pub fn password_min(&self) -> usize {
        self.rules.passwords.min_code_points
    }

    /// How hard `raw` would be to guess, for the person with these words.
    pub async fn strength(&self, raw: &str, name: &str, email: &str) -> Result<Strength, Fault> {
        let (raw, name, email, host) =
            (raw.to_owned(), name.to_owned(), email.to_owned(), self.rules.host.clone());
        crate::db::off_thread(move || Ok(password::strength(&raw, &[&name, &email, &host]))).await
    }

    /// How long somebody who leaves can think better of it, in words.
    pub fn grace(&self) -> String {
        in_words(self.rules.leaving.grace)
    }

    fn choose(&self, raw: &str, name: &str, email: &str) -> Result<Password, Weak> {
        self.rules.passwords.choose(raw, &[name, email, &self.rules.host])
    }

    async fn hash(&self, password: Password) -> Result<PasswordHash, Fault> {
        self.hasher.hash(password).await.map_err(Fault::from)
    }
}

impl From<hasher::Busy> for Fault {
    fn from(busy: hasher::Busy) -> Self {
        Self::Busy { retry_after: busy.retry_after.as_secs() }
    }
}

fn hasher(settings: &Settings) -> Result<Hasher, Misconfigured> {
    let config = settings.hashing;
    let cost = HashCost {
        memory_kib: config.memory_kib,
        iterations: config.iterations,
        parallelism: config.parallelism,
    };
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let permits = match config.permits {
        0 => password::permits_for(password::memory_budget(), cost, cores),
        given => given,
    };
    Hasher::new(cost, permits, config.queue).map_err(|error| Misconfigured::new(format!("hashing: {error}")))
}

fn policy(passwords: Passwords) -> PasswordPolicy {
    let Passwords { min_code_points, max_code_points, max_bytes } = passwords;
    PasswordPolicy { min_code_points, max_code_points, max_bytes }
}

/// "24 hours", "30 minutes".
fn in_words(span: Span) -> String {
    duration_in_words(span.std())
}

pub fn duration_in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    let (number, unit) = match seconds {
        s if s >= 2 * 86_400 && s % 86_400 == 0 => (s / 86_400, "day"),
        s if s >= 3600 && s % 3600 == 0 => (s / 3600, "hour"),
        s => (s.div_ceil(60), "minute"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}
