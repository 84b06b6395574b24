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

/// How long a live connection lasts: long enough to end the session and to watch the other connection go on.
pub const STREAM_LIFE: Duration = Duration::from_secs(60);

/// Live connections of one run on one instance: both sides, twice. Browsers open six connections to a server, so two
/// are left for its pages.
pub(super) const MAX_STREAMS_PER_RUN: usize = 4;

/// Live connections on one instance: both sides for each member of a large class. Each occupies one of the connections
/// of a worker, and about 20 KB.
pub(super) const MAX_STREAMS: usize = 100;

/// Why no live connection can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamLimit {
    Run,
    Instance,
}

impl StreamLimit {
    /// Stable, for tests and `data-` attributes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Instance => "instance",
        }
    }
}

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
