//! How much one instance does at a time, all of it from the cores it may use.

use std::num::NonZero;
use std::thread;

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
/// the pool (`db`) and the permits for hashing (`accounts`); whoever waits for one of those holds no thread.
pub fn blocking_threads(pool_size: u32, workers: usize) -> usize {
    pool_size as usize + workers + 2
}
