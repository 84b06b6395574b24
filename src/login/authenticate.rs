//! Log in with a password.

use diesel::pg::PgConnection;
use uuid::Uuid;

use crate::audit::{Act, Entry};
use crate::db::Fault;
use crate::identity::{Answer, Client, EmailKey, Factor, UserId};
use crate::login::known_devices::Proof;
use crate::login::log_ins::Way;
use crate::login::pending::{LoggedIn, Pending, fingerprint};
use crate::login::{Login, queries};
use crate::passwords::{Password, PasswordHash};
use crate::throttle::{Budget, Counted, Taken, Wait};
use latchkey_sessions::{self as sessions, Key, SessionTx};

/// What somebody typed to log in.
pub struct Attempt {
    pub email: String,
    pub password: String,
    pub remember: bool,
}

/// A session opened for somebody who proved themselves.
pub struct Opened {
    pub user: UserId,
    pub key: Key,
    pub remember: bool,
    /// For the browser to keep: next time it is known.
    pub proof: Proof,
    /// They had asked to be deleted, and now are not.
    pub restored: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum LogInRefusal {
    /// Wrong password, unknown or unverified address, disabled: nobody learns which (ASVS 5.0 6.3.8).
    NoMatch,
    TooMany(Wait),
}

/// What is kept of a user to check a password by.
#[derive(Clone)]
pub(crate) struct Known {
    pub id: UserId,
    pub hash: Option<PasswordHash>,
}

/// How a password check ended.
pub(crate) enum Checked {
    /// It matches; with a fresh hash where the stored one is outdated.
    Yes {
        rehashed: Option<Rehashed>,
    },
    No,
    TooMany(Wait),
}

/// The same password, hashed as ours are today.
pub(crate) struct Rehashed {
    hash: PasswordHash,
    /// What to note of a password that came from elsewhere.
    moved_in: Option<&'static str>,
}

impl Rehashed {
    /// Keeps it in place of the old hash. The caller has locked the user's row.
    pub fn keep(&self, conn: &mut PgConnection, user: UserId, client: &Client) -> Result<(), Fault> {
        queries::set_password(conn, user, &self.hash, false)?;
        match self.moved_in {
            Some(detail) => Entry::own(Act::PasswordMovedIn, user, client).detail(detail).write(conn),
            None => Ok(()),
        }
    }
}

/// Shown on the activity page, in place of making anybody change it.
const WEAK: &str = "it is weaker than new ones must be, so choose another";

/// How a log-in ended.
enum Concluded {
    Answer(Result<LoggedIn, LogInRefusal>),
    /// Not yet: the hash is another one now, and nothing has been done.
    Replaced(Known),
}

/// In the trail, of a log-in that lost to whatever committed first.
const CHANGED_MEANWHILE: &str = "the account changed meanwhile";

impl Login {
    /// Checks the password and opens a session, or a pending log-in for those with a second factor. The row, the audit event and the cleared throttle are one
    /// transaction, in which the user row is locked: a password change or a disabling that commits first
    /// refuses this log-in, one that commits later ends it.
    ///
    /// # Errors
    /// [`Fault::Busy`] when too many passwords are being checked.
    pub async fn authenticate(&self, attempt: Attempt, client: Client) -> Answer<LoggedIn, LogInRefusal> {
        let answer = self.attempt(attempt, client).await;
        self.log_ins.count(Way::Password, &answer);
        answer
    }

    async fn attempt(&self, attempt: Attempt, client: Client) -> Answer<LoggedIn, LogInRefusal> {
        let email_key = EmailKey::of_attempt(&attempt.email);
        let (known, knows_browser) = {
            let (email_key, browser) = (email_key.clone(), client.browser);
            self.db
                .read(move |conn| {
                    let known = queries::known(conn, &email_key)?;
                    let knows_browser = match (&known, &browser) {
                        (Some(known), Some(browser)) => queries::knows_browser(conn, known.id, browser)?,
                        _ => false,
                    };
                    Ok((known, knows_browser))
                })
                .await?
        };
        let whose = known.as_ref().map(|known| (known.id, knows_browser));
        let budget = Budget::log_in(&email_key, whose, &client, &self.throttle.buckets);
        let (checked, counted) = self.check_password(&budget, &attempt.password, known.as_ref()).await?;
        counted.settle(self.concluded(checked, known, budget, attempt, client).await)
    }

    /// Of two first log-ins at once after a change of the hash cost, one finds the other's new hash in place of the one
    /// it was checked against. So it is checked against that as well, once, with no row locked: a password that was
    /// really changed does not match it. The attempt stays counted until it is let in.
    async fn concluded(
        &self,
        checked: Checked,
        known: Option<Known>,
        budget: Budget,
        attempt: Attempt,
        client: Client,
    ) -> Answer<LoggedIn, LogInRefusal> {
        let conclude = |checked, known| {
            let (login, budget, client, remember) =
                (self.clone(), budget.clone(), client.clone(), attempt.remember);
            self.sessions
                .write(move |change| login.conclude(change, checked, known, budget, remember, &client))
        };
        let now = match conclude(checked, known).await? {
            Concluded::Answer(answer) => return Ok(answer),
            Concluded::Replaced(now) => now,
        };
        let user = now.id;
        let given = Password::given(&attempt.password);
        if self.passwords.hasher.verify(given, now.hash.as_ref()).await?.matches {
            let yes = Checked::Yes { rehashed: None };
            if let Concluded::Answer(answer) = conclude(yes, Some(now)).await? {
                return Ok(answer);
            }
        }
        self.db
            .write(move |conn| {
                Entry::nobody(Act::LogInRefused, Some(user), &client).detail(CHANGED_MEANWHILE).write(conn)
            })
            .await?;
        Ok(Err(LogInRefusal::NoMatch))
    }

    /// The one way a password is checked, for every operation that asks for one: counted, then hashed with
    /// no connection held. What comes with a right one is settled when what it was for is committed.
    pub(crate) async fn check_password(
        &self,
        budget: &Budget,
        raw: &str,
        known: Option<&Known>,
    ) -> Result<(Checked, Counted), Fault> {
        let (throttle, taking) = (self.throttle.clone(), budget.clone());
        let (counted, alarm) = match self.db.write(move |conn| taking.take(conn, &throttle)).await? {
            Taken::Wait(wait) => return Ok((Checked::TooMany(wait), Counted::not())),
            Taken::Locked => (false, None),
            Taken::Counted(alarm) => (true, alarm),
        };
        let given = Password::given(raw);
        let again = given.as_ref().map(Password::share);
        let stored = known.and_then(|known| known.hash.as_ref());
        let checked = match stored {
            Some(hash) if counted => self.passwords.hasher.verify(given, Some(hash)).await,
            Some(hash) => self.passwords.hasher.dismiss(given, Some(hash)).await,
            None => self.passwords.hasher.dismiss(given, self.stand_in(budget).await?.as_ref()).await,
        };
        let verdict = match checked {
            Ok(verdict) => verdict,
            Err(busy) => {
                let undoing = budget.clone();
                self.db.write(move |conn| undoing.undo(conn, counted, true)).await?;
                return Err(busy.into());
            }
        };
        if verdict.unreadable {
            tracing::error!(
                user = known.map(|known| tracing::field::display(known.id)),
                "a stored password hash cannot be read"
            );
        }
        if verdict.too_costly {
            tracing::warn!(
                user = known.map(|known| tracing::field::display(known.id)),
                "an imported password hash is over the cost limit: the user has to reset the password"
            );
        }
        if !verdict.matches {
            if let Some(alarm) = alarm {
                self.raise(alarm, budget).await?;
            }
            return Ok((Checked::No, Counted::not()));
        }
        let right = || Counted::new(&self.db, budget);
        let rehashed = match again {
            Some(password) if verdict.outdated => {
                let weak = self.passwords.choose(raw, "", "").is_err();
                let moved_in = stored.is_some_and(PasswordHash::is_foreign);
                let moved_in = moved_in.then_some(if weak { WEAK } else { "" });
                let hash = self.passwords.hash(password).await;
                Some(Rehashed { hash: right().settle(hash)?, moved_in })
            }
            _ => None,
        };
        Ok((Checked::Yes { rehashed }, right()))
    }

    /// Whose hash is worked out for an account that has none.
    async fn stand_in(&self, budget: &Budget) -> Result<Option<PasswordHash>, Fault> {
        let at = Uuid::from_bytes(budget.account_digest());
        self.db.read(move |conn| queries::stand_in(conn, at)).await
    }

    fn conclude(
        &self,
        change: &mut SessionTx<'_>,
        checked: Checked,
        known: Option<Known>,
        budget: Budget,
        remember: bool,
        client: &Client,
    ) -> Result<Concluded, Fault> {
        let subject = known.as_ref().map(|known| known.id);
        let refused = |change: &mut SessionTx<'_>, detail: &str| {
            Entry::nobody(Act::LogInRefused, subject, client).detail(detail).write(change)
        };
        let (rehashed, known) = match (checked, known) {
            (Checked::Yes { rehashed }, Some(known)) => (rehashed, known),
            // Not in the trail: whoever hammers would write it full.
            (Checked::TooMany(wait), _) => {
                return Ok(Concluded::Answer(Err(LogInRefusal::TooMany(wait))));
            }
            _ => {
                refused(change, "")?;
                return Ok(Concluded::Answer(Err(LogInRefusal::NoMatch)));
            }
        };
        let Some(now) = queries::lock_hash(change, known.id)? else {
            refused(change, CHANGED_MEANWHILE)?;
            return Ok(Concluded::Answer(Err(LogInRefusal::NoMatch)));
        };
        if known.hash.as_ref().map(PasswordHash::as_str) != Some(now.as_str()) {
            return Ok(Concluded::Replaced(Known { hash: Some(now), ..known }));
        }
        budget.give_back(change)?;
        if let Some(rehashed) = &rehashed {
            rehashed.keep(change, known.id, client)?;
        }
        let user = known.id;
        match rehashed.map(|rehashed| rehashed.hash).or(known.hash) {
            Some(hash) if crate::factors::queries::has_second_factor(change, user)? => {
                let pending = Pending { user, proven: fingerprint(&hash), remember };
                let key = self.hold(change, &pending, client)?;
                Ok(Concluded::Answer(Ok(LoggedIn::Pending(key))))
            }
            _ => {
                let opened = self.open_session(change, user, Factor::Password, remember, client)?;
                Ok(Concluded::Answer(Ok(LoggedIn::Open(opened))))
            }
        }
    }

    /// The one way a session begins, whatever `user` has proven themselves with: that is `factor`. The caller has
    /// locked the user's row and seen that they may log in.
    pub(crate) fn open_session(
        &self,
        change: &mut SessionTx<'_>,
        user: UserId,
        factor: Factor,
        remember: bool,
        client: &Client,
    ) -> Result<Opened, Fault> {
        let is_first = !queries::has_logged_in(change, user)?;
        let restored = self.cleaner.restore(change, user, client)?;
        queries::note_login(change, user)?;
        let met = self.meet(change, user, client)?;
        let opened = sessions::Login {
            principal: user.principal(),
            remember,
            factor: factor.as_str().to_owned(),
            address: client.address.clone(),
            user_agent: client.user_agent.clone(),
            device: Some(met.hash),
        };
        let (key, handle, ended) = self.sessions.open_counting(change, &opened)?;
        Entry::own(Act::LoggedIn, user, client).session(handle).write(change)?;
        // Whoever has just registered knows that they did.
        if met.is_new && !is_first {
            let ended_oldest = (ended > 0).then(|| self.sessions.policy().per_principal);
            self.tell_new_device(change, user, (handle, met.hash), ended_oldest, client)?;
        }
        Ok(Opened { user, key, remember, proof: met.proof, restored })
    }
}
