//! How many runs there may be, and for how long.

use std::time::Duration;

/// Long enough to try every step twice; then subject, sessions and tokens are deleted.
pub const RUN_LIFE: Duration = Duration::from_secs(30 * 60);

/// Runs at a time. Each is three small rows: enough for a busy classroom, too few to fill a disk.
pub(super) const MAX_RUNS: i64 = 500;

/// Runs at a time from one network: a classroom behind one IP address.
pub(super) const MAX_RUNS_PER_NETWORK: i64 = 40;

/// Steps in one run: all of them, many times over.
pub(super) const MAX_STEPS: i32 = 300;

/// Why no run can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunLimit {
    Total,
    Network,
}

impl RunLimit {
    /// Stable, for tests and `data-` attributes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Network => "network",
        }
    }
}
