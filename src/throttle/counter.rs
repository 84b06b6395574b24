//! The counters of attempts: their limits, their names in the database, and counting one attempt.

use diesel::pg::PgConnection;

use crate::config::{Settings, Span, ThrottleLimits};
use crate::db::{Failed, refuse};
use crate::identity::UserId;
use crate::secret::{self, Secret};
use crate::throttle::backoff::Backoff;
use crate::throttle::queries;

/// The limits, and the names of the counters.
#[derive(Clone)]
pub(crate) struct Throttle {
    pub limits: ThrottleLimits,
    /// How long a link to set a new password works.
    pub reset_for: Span,
    pub counter_names: CounterNames,
}

impl Throttle {
    pub fn new(settings: &Settings) -> Self {
        Self {
            limits: settings.throttle,
            reset_for: settings.tokens.reset_for,
            counter_names: CounterNames(settings.secret.clone()),
        }
    }
}

/// Too many attempts: how many whole seconds to wait before the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter(pub u64);

/// Makes the names of counters. Email and IP addresses are easy to guess, so a name is an HMAC: a reader of the table
/// alone cannot tell which accounts were tried. After a change of the secret, counting starts again and the old
/// counters expire.
#[derive(Clone)]
pub(crate) struct CounterNames(pub Secret);

impl CounterNames {
    /// * `kind`: what is counted, such as `account`.
    /// * `of`: whose attempts these are, such as an email key.
    pub fn name(&self, kind: &str, of: &str) -> String {
        let mac = self.0.mac("throttle", &[kind.as_bytes(), of.as_bytes()]);
        format!("{kind}:{}", secret::encode(&mac))
    }

    /// The counter of one known browser or session of a user.
    pub fn of_source(&self, user: UserId, source: &str) -> String {
        self.name("lane", &format!("{user} {source}"))
    }
}

/// Counts one attempt and returns how many there have been; refuses while the counter blocks.
pub(super) fn count(
    conn: &mut PgConnection,
    counter: &str,
    free: i32,
    backoff: &Backoff,
) -> Result<i32, Failed<RetryAfter>> {
    if let Some(failures) = queries::count_attempt(conn, counter, free, backoff)? {
        return Ok(failures);
    }
    let seconds = queries::blocked_for(conn, counter)?;
    refuse(RetryAfter(u64::try_from(seconds).unwrap_or(0).max(1)))
}
