//! The answer of a hasher that has no room for another hash.

use std::fmt;
use std::time::Duration;

use latchkey_db::counters::Counter;

/// When to retry after [`HasherBusy`]: a full queue has drained by then.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Callers refused with [`HasherBusy`].
#[derive(Default)]
pub struct HashesRefused {
    /// Because the queue was full.
    pub full: Counter,
    /// Because no permit was free in time.
    pub slow: Counter,
}

/// Too many hashes at once, or a hash that could not be computed (logged). Answer 503 with `Retry-After` and deny access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasherBusy {
    /// When to try again.
    pub retry_after: Duration,
}

impl fmt::Display for HasherBusy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too many log-ins at once, try again in {} seconds", self.retry_after.as_secs())
    }
}

impl std::error::Error for HasherBusy {}

pub(super) const BUSY: HasherBusy = HasherBusy { retry_after: RETRY_AFTER };
