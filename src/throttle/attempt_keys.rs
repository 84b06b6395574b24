//! Attempts at passwords. An attempt is counted before the password is checked, so that parallel guesses all count.

use diesel::pg::PgConnection;

use crate::db::{Fault, Refusable as _};
use crate::identity::{Client, EmailKey, UserId};
use crate::secret;
use crate::throttle::attempt_source::AttemptSource;
use crate::throttle::counter::{CounterNames, RetryAfter, Throttle, count};
use crate::throttle::queries;
use latchkey_sessions::Handle;

/// The counters that one attempt at a password draws on. An unknown browser draws on the waiting times of the account
/// and of its network, and on the failures of all unknown browsers. A known browser or a live session draws only on its
/// own, which strangers cannot use up (docs/decisions/lock-out.md; ASVS 5.0 6.1.1, 6.3.1).
#[derive(Clone)]
pub(crate) struct AttemptKeys {
    account: String,
    network: Option<String>,
    source: Option<(UserId, AttemptSource)>,
    pub client: Client,
}

/// Whether the password of an attempt may be checked.
pub(crate) enum AttemptDecision {
    Wait(RetryAfter),
    /// This source has no attempt left. Answer as for a wrong password, in the same time.
    Locked,
    /// Counted. The alert is due if the password turns out to be wrong.
    Counted(Option<OwnerAlert>),
}

/// A reason to email the owner of an account.
#[derive(Clone, Copy)]
pub(crate) enum OwnerAlert {
    /// From this failure on, attempts have to wait.
    Guessing { failures: i32 },
    /// This was the last attempt: the password is locked for unknown browsers, or for one known browser.
    Locked { failures: i32, unknown_browser: bool },
}

impl AttemptKeys {
    /// For the log-in page.
    ///
    /// * `account_key`: the key of the typed email address. Addresses with and without an account are counted alike.
    /// * `known`: the account's user, and whether they have logged in with this browser before.
    pub fn for_log_in(
        account_key: &EmailKey,
        known: Option<(UserId, bool)>,
        client: &Client,
        counter_names: &CounterNames,
    ) -> Self {
        match (known, client.browser) {
            (Some((user, true)), Some(browser)) => {
                Self::known(user, AttemptSource::KnownBrowser(browser), client, counter_names)
            }
            _ => Self {
                account: counter_names.name("account", account_key.as_str()),
                network: Some(counter_names.name("address", &client.network())),
                source: known.map(|(user, _)| (user, AttemptSource::UnknownBrowser)),
                client: client.clone(),
            },
        }
    }

    /// For a user who is logged in: counts for their browser, or for their session if the browser lost its known-device
    /// cookie.
    pub fn for_session(
        user: UserId,
        session: Handle,
        knows_browser: bool,
        client: &Client,
        counter_names: &CounterNames,
    ) -> Self {
        let source = match client.browser {
            Some(browser) if knows_browser => AttemptSource::KnownBrowser(browser),
            _ => AttemptSource::Session(session),
        };
        Self::known(user, source, client, counter_names)
    }

    fn known(user: UserId, source: AttemptSource, client: &Client, counter_names: &CounterNames) -> Self {
        let account = counter_names.of_source(user, &source.name());
        Self { account, network: None, source: Some((user, source)), client: client.clone() }
    }

    /// The same for every attempt at this account, and evenly distributed over all accounts.
    pub fn account_digest(&self) -> [u8; 16] {
        secret::sha256(self.account.as_bytes()).first_chunk().copied().unwrap_or_default()
    }

    pub fn user(&self) -> Option<UserId> {
        self.source.as_ref().map(|(user, _)| *user)
    }

    /// Counts one attempt, or says why it is refused. Call it before the password is checked.
    pub fn count(&self, conn: &mut PgConnection, throttle: &Throttle) -> Result<AttemptDecision, Fault> {
        let limits = &throttle.limits;
        // Locks are always taken in this order (user, network, account), which prevents deadlocks.
        if let Some(user) = self.user() {
            crate::identity::queries::lock_user(conn, user)?;
        }
        if let Some(network) = &self.network
            && let Err(wait) = count(conn, network, limits.address_free, &throttle.limits.into()).split()?
        {
            return Ok(AttemptDecision::Wait(wait));
        }
        let failures =
            match count(conn, &self.account, limits.account_free, &throttle.limits.into()).split()? {
                Ok(failures) => failures,
                Err(wait) => return Ok(AttemptDecision::Wait(wait)),
            };
        let waiting_begins = failures == limits.account_free + 1;
        let Some((user, source)) = &self.source else {
            return Ok(AttemptDecision::Counted(waiting_begins.then_some(OwnerAlert::Guessing { failures })));
        };
        let counts = queries::failure_counts(conn, *user, &source.name())?;
        let left = counts.left(source, limits);
        if left == 0 {
            return Ok(AttemptDecision::Locked);
        }
        queries::count_failure(conn, *user, &source.name())?;
        let failures = counts.unknown + counts.known + 1;
        Ok(AttemptDecision::Counted(match left {
            1 => {
                let unknown_browser = *source == AttemptSource::UnknownBrowser;
                Some(OwnerAlert::Locked { failures, unknown_browser })
            }
            _ => waiting_begins.then_some(OwnerAlert::Guessing { failures }),
        }))
    }

    /// The password was right: deletes the failures of this kind of source and returns the attempt to the network. A
    /// log-in in a known browser keeps the failures of unknown ones: otherwise each log-in of the owner would give
    /// strangers another hundred attempts.
    pub fn reset(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        if let Some(network) = &self.network {
            queries::refund(conn, network, true)?;
        }
        queries::delete_counter(conn, &self.account)?;
        if let Some((user, source)) = &self.source {
            let unknown = *source == AttemptSource::UnknownBrowser;
            queries::delete_failures(conn, *user, unknown, !unknown)?;
        }
        Ok(())
    }

    /// Deletes every failure of the account, after its owner proved who they are in another way or set a new password.
    pub fn reset_all(
        conn: &mut PgConnection,
        user: UserId,
        email: &EmailKey,
        counter_names: &CounterNames,
    ) -> Result<(), Fault> {
        for (source, _) in queries::failures_by_source(conn, user)? {
            queries::delete_counter(conn, &counter_names.of_source(user, &source))?;
        }
        queries::delete_failures(conn, user, true, true)?;
        queries::delete_counter(conn, &counter_names.name("account", email.as_str()))
    }

    /// Takes one attempt back, because the password was not checked (the server was too busy) or a fault undid what the
    /// right password was for.
    ///
    /// * `counted`: whether the attempt also counted as a failure of its source.
    /// * `unblock`: the block in force is the one that this attempt set, so lift it.
    pub fn refund(&self, conn: &mut PgConnection, counted: bool, unblock: bool) -> Result<(), Fault> {
        if let Some((user, source)) = self.source.as_ref().filter(|_| counted)
            && crate::identity::queries::lock_user(conn, *user)?
        {
            queries::refund_failure(conn, *user, &source.name())?;
        }
        if let Some(network) = &self.network {
            queries::refund(conn, network, unblock)?;
        }
        queries::refund(conn, &self.account, unblock)
    }
}
