//! Guessing costs time. An attempt is counted before it is checked, so that parallel guesses count each.

use std::fmt;

use diesel::pg::PgConnection;

use crate::config::{Span, ThrottleLimits};
use crate::db::Fault;
use crate::identity::{Client, EmailKey, UserId};
use crate::secret::{self, Secret, TokenHash};
use crate::throttle::lanes::Lane;
use crate::throttle::{Throttle, queries};
use latchkey_sessions::Handle;

/// How long to wait before the next attempt, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub u64);

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds @ 0..90 => write!(f, "Too many attempts. Try again in {seconds} seconds."),
            seconds => write!(f, "Too many attempts. Try again in {} minutes.", seconds.div_ceil(60)),
        }
    }
}

/// What counters are called. Addresses are easily guessed, so the names are made with a key: whoever has the table alone
/// cannot tell who was tried. With a new secret counting begins anew, and what was counted before ages out.
#[derive(Clone)]
pub(crate) struct Buckets(pub Secret);

impl Buckets {
    fn name(&self, kind: &str, what: &str) -> String {
        format!("{kind}:{}", secret::encode(&self.0.mac("throttle", &[kind.as_bytes(), what.as_bytes()])))
    }

    /// What of the waiting times belongs to one known lane of one person.
    fn of_lane(&self, user: UserId, lane: &str) -> String {
        self.name("lane", &format!("{user} {lane}"))
    }
}

/// What one attempt at somebody's password draws on. From outside: the account's waiting times, those of the network it
/// comes from, and the outside lane. From a browser or session that was let in before: only its own lane, which
/// strangers cannot use up (docs/decisions/lock-out.md; ASVS 5.0 6.1.1, 6.3.1).
#[derive(Clone)]
pub(crate) struct Budget {
    account: String,
    network: Option<String>,
    lane: Option<(UserId, Lane)>,
    pub client: Client,
}

/// Whether an attempt may be looked at.
pub(crate) enum Taken {
    Wait(Wait),
    /// No wrong password is left in this lane: answered like a wrong one, in the same time.
    Locked,
    /// Counted; what its owner must hear if the password turns out wrong.
    Counted(Option<Alarm>),
}

/// Something the owner of an account must hear of.
#[derive(Clone, Copy)]
pub(crate) enum Alarm {
    /// Waiting begins.
    Guessing { failures: i32 },
    /// This was the last one.
    Locked { failures: i32, outside: bool },
}

impl Budget {
    /// For the log-in page. `account_key` is an e-mail key, known or not: both are counted alike, and only a hash of it
    /// is stored. `known`: whose it is, and whether they have logged in with this browser before.
    pub fn log_in(
        account_key: &EmailKey,
        known: Option<(UserId, bool)>,
        client: &Client,
        buckets: &Buckets,
    ) -> Self {
        match (known, client.browser) {
            (Some((user, true)), Some(browser)) => Self::known(user, Lane::Browser(browser), client, buckets),
            _ => Self {
                account: buckets.name("account", account_key.as_str()),
                network: Some(buckets.name("address", &client.network())),
                lane: known.map(|(user, _)| (user, Lane::Outside)),
                client: client.clone(),
            },
        }
    }

    /// The same for every attempt at this account, and evenly spread over all accounts.
    pub fn account_digest(&self) -> [u8; 16] {
        secret::sha256(self.account.as_bytes()).first_chunk().copied().unwrap_or_default()
    }

    /// For whoever is logged in, in the lane of their browser; of the session where the browser lost its proof.
    pub fn own(
        user: UserId,
        session: Handle,
        knows_browser: bool,
        client: &Client,
        buckets: &Buckets,
    ) -> Self {
        match client.browser {
            Some(browser) if knows_browser => Self::known(user, Lane::Browser(browser), client, buckets),
            _ => Self::known(user, Lane::Session(session), client, buckets),
        }
    }

    fn known(user: UserId, lane: Lane, client: &Client, buckets: &Buckets) -> Self {
        let account = buckets.of_lane(user, &lane.name());
        Self { account, network: None, lane: Some((user, lane)), client: client.clone() }
    }

    pub fn user(&self) -> Option<UserId> {
        self.lane.as_ref().map(|(user, _)| *user)
    }

    /// Counts one attempt before it is looked at, or says why it is not.
    pub fn take(&self, conn: &mut PgConnection, throttle: &Throttle) -> Result<Taken, Fault> {
        let limits = &throttle.limits;
        // Always in this order (the user, the network, the account), so that nobody waits in a circle.
        if let Some(user) = self.user() {
            crate::identity::queries::lock_user(conn, user)?;
        }
        if let Some(network) = &self.network
            && let Err(wait) = take(conn, network, limits.address_free, &throttle.limits.into())?
        {
            return Ok(Taken::Wait(wait));
        }
        let failures = match take(conn, &self.account, limits.account_free, &throttle.limits.into())? {
            Ok(failures) => failures,
            Err(wait) => return Ok(Taken::Wait(wait)),
        };
        let begins = failures == limits.account_free + 1;
        let Some((user, lane)) = &self.lane else {
            return Ok(Taken::Counted(begins.then_some(Alarm::Guessing { failures })));
        };
        let standing = queries::standing(conn, *user, &lane.name())?;
        let left = standing.left(lane, limits);
        if left == 0 {
            return Ok(Taken::Locked);
        }
        queries::count_in_lane(conn, *user, &lane.name())?;
        let failures = standing.outside + standing.known + 1;
        Ok(Taken::Counted(match left {
            1 => Some(Alarm::Locked { failures, outside: *lane == Lane::Outside }),
            _ => begins.then_some(Alarm::Guessing { failures }),
        }))
    }

    /// The proof was good: its lane starts afresh, the network gets this attempt back. What strangers did is not
    /// forgotten because the owner logs in where they are known: else each log-in would give them another hundred.
    pub fn give_back(&self, conn: &mut PgConnection) -> Result<(), Fault> {
        if let Some(network) = &self.network {
            queries::give_back(conn, network, true)?;
        }
        queries::clear_bucket(conn, &self.account)?;
        if let Some((user, lane)) = &self.lane {
            let outside = *lane == Lane::Outside;
            queries::clear_lanes(conn, *user, outside, !outside)?;
        }
        Ok(())
    }

    /// The owner proved themselves in another way, or chose a new password: nothing counts any more.
    pub fn forgive(
        conn: &mut PgConnection,
        user: UserId,
        email: &EmailKey,
        buckets: &Buckets,
    ) -> Result<(), Fault> {
        for (lane, _) in queries::lanes(conn, user)? {
            queries::clear_bucket(conn, &buckets.of_lane(user, &lane))?;
        }
        queries::clear_lanes(conn, user, true, true)?;
        queries::clear_bucket(conn, &buckets.name("account", email.as_str()))
    }

    /// Nothing was looked at after all (the server was too busy), or nothing came of it: as if nobody had tried.
    /// `at_once`: the block that stands is the one this attempt set.
    pub fn undo(&self, conn: &mut PgConnection, counted: bool, at_once: bool) -> Result<(), Fault> {
        if let Some((user, lane)) = self.lane.as_ref().filter(|_| counted)
            && crate::identity::queries::lock_user(conn, *user)?
        {
            queries::uncount_in_lane(conn, *user, &lane.name())?;
        }
        if let Some(network) = &self.network {
            queries::give_back(conn, network, at_once)?;
        }
        queries::give_back(conn, &self.account, at_once)
    }
}

/// Whether one more letter may go to `email_key` within the hour.
pub(crate) fn may_mail(
    conn: &mut PgConnection,
    email_key: &EmailKey,
    throttle: &Throttle,
) -> Result<bool, Fault> {
    Ok(take(
        conn,
        &throttle.buckets.name("mail", email_key.as_str()),
        throttle.limits.mails_per_hour - 1,
        &HOURLY,
    )?
    .is_ok())
}

/// The same for reset links, which are counted by themselves: whoever has other letters sent to an address must not use
/// up those its owner needs to get back in.
pub(crate) fn may_mail_reset(
    conn: &mut PgConnection,
    email_key: &EmailKey,
    throttle: &Throttle,
) -> Result<bool, Fault> {
    // Blocked no longer than the last link is good for: else there would be a time without any.
    let rest = throttle.reset_for;
    let waits = Waits { first: rest, longest: rest, forget_after: rest };
    Ok(take(
        conn,
        &throttle.buckets.name("mail-reset", email_key.as_str()),
        throttle.limits.mails_per_hour - 1,
        &waits,
    )?
    .is_ok())
}

/// Whether this address may send another form that makes us work for somebody unknown.
pub(crate) fn may_ask(
    conn: &mut PgConnection,
    form: &str,
    client: &Client,
    throttle: &Throttle,
) -> Result<Result<(), Wait>, Fault> {
    let taken = take(
        conn,
        &throttle.buckets.name(form, &client.network()),
        throttle.limits.asks_per_hour - 1,
        &HOURLY,
    )?;
    Ok(taken.map(drop))
}

/// Whether `user` may ask for one more letter to an address that is not theirs within the hour.
pub(crate) fn may_write(
    conn: &mut PgConnection,
    user: UserId,
    throttle: &Throttle,
) -> Result<Result<(), Wait>, Fault> {
    let bucket = throttle.buckets.name("write", &user.to_string());
    Ok(take(conn, &bucket, throttle.limits.mails_per_hour - 1, &HOURLY)?.map(drop))
}

/// Whether this address may begin another log-in with a passkey. A signature cannot be guessed, so what is bounded
/// is the room that challenges take; and none is answered that was not begun.
pub(crate) fn may_begin(
    conn: &mut PgConnection,
    client: &Client,
    throttle: &Throttle,
) -> Result<Result<(), Wait>, Fault> {
    let bucket = throttle.buckets.name("passkey", &client.network());
    Ok(take(conn, &bucket, throttle.limits.ceremonies_per_hour - 1, &HOURLY)?.map(drop))
}

/// Recovery codes that one waiting log-in, or one session, may try in an hour.
const RECOVERY_CODES: i32 = 10;

/// Whether one more recovery code is looked at there.
pub(crate) fn may_try_recovery_code(
    conn: &mut PgConnection,
    place: &str,
    throttle: &Throttle,
) -> Result<Result<(), Wait>, Fault> {
    Ok(take(conn, &throttle.buckets.name("recovery-code", place), RECOVERY_CODES - 1, &HOURLY)?.map(drop))
}

/// Passwords that may be tried on the link of one registration in an hour.
const REGISTRATION_PASSWORDS: i32 = 10;

/// Whether one more password is looked at there, from this network.
pub(crate) fn may_try_registration(
    conn: &mut PgConnection,
    registration: &TokenHash,
    client: &Client,
    throttle: &Throttle,
) -> Result<Result<(), Wait>, Fault> {
    if let Err(wait) = may_ask(conn, "verify", client, throttle)? {
        return Ok(Err(wait));
    }
    let bucket = throttle.buckets.name("registration", &secret::encode(registration));
    Ok(take(conn, &bucket, REGISTRATION_PASSWORDS - 1, &HOURLY)?.map(drop))
}

/// Whether `user` may be told today that a second step is missing.
pub(crate) fn may_tell_of_missing_step(
    conn: &mut PgConnection,
    user: UserId,
    throttle: &Throttle,
) -> Result<bool, Fault> {
    let day = Span::days(1);
    let daily = Waits { first: day, longest: day, forget_after: day };
    Ok(take(conn, &throttle.buckets.name("second-step-letter", &user.to_string()), 0, &daily)?.is_ok())
}

/// So many, then an hour's rest: the last one sets the block, hence one less is free.
const HOURLY: Waits = Waits { first: Span::hours(1), longest: Span::hours(1), forget_after: Span::hours(1) };

/// How the waiting grows, and when it is forgotten.
pub(crate) struct Waits {
    pub first: Span,
    pub longest: Span,
    pub forget_after: Span,
}

impl From<ThrottleLimits> for Waits {
    fn from(throttle: ThrottleLimits) -> Self {
        Self {
            first: throttle.first_wait,
            longest: throttle.longest_wait,
            forget_after: throttle.forget_after,
        }
    }
}

/// How many attempts there were with this one, or how long there is none.
fn take(conn: &mut PgConnection, bucket: &str, free: i32, waits: &Waits) -> Result<Result<i32, Wait>, Fault> {
    if let Some(failures) = queries::count_attempt(conn, bucket, free, waits)? {
        return Ok(Ok(failures));
    }
    let seconds = queries::blocked_for(conn, bucket)?;
    Ok(Err(Wait(u64::try_from(seconds).unwrap_or(0).max(1))))
}
