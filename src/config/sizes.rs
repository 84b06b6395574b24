//! How much one instance does at a time, all of it from the cores it may use.

use std::num::NonZero;
use std::thread;

use nix::sys::resource::{Resource, getrlimit};

/// Browsers an instance holds a connection to: some 10 KiB each, and a proxy in front keeps far fewer. Whoever comes
/// when all are taken waits in the kernel's queue.
const BROWSERS: usize = 4096;

/// Files the process needs besides: the database, the mail server, its own ends.
const OTHER_FILES: usize = 64;

/// Cores this process may run on (a container's quota counts).
fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Event loops: one a core, because none of them ever waits.
pub(super) fn workers(given: usize) -> usize {
    if given == 0 { cores() } else { given }
}

/// Connections: four a core keep Postgres busy and more only wait there; lookups share queries, so even few are
/// enough. Never more than 10: hobby databases give 25 in all, and a rollout runs two instances, each with one more
/// that listens.
pub(super) fn connections() -> u32 {
    u32::try_from(4 * cores()).unwrap_or(u32::MAX).clamp(5, 10)
}

/// Threads of one worker for what blocks: a connection or a hash for each. What bounds the work are the turns at
/// the pool (`db`) and the permits for hashing (`accounts`: one a core for ours, half as many for those of other
/// software); whoever waits for one of those holds no thread.
pub fn blocking_threads(pool_size: u32, workers: usize) -> usize {
    pool_size as usize + workers + workers.div_ceil(2) + 2
}

/// Connections of one worker: no more than the process may have open, because without a file to spare nobody at all
/// would be accepted.
pub fn connections_of(workers: usize) -> usize {
    let (files, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    let spare = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES);
    (spare.min(BROWSERS) / workers.max(1)).max(1)
}
