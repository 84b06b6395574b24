//! How much one instance does at a time, all of it from the cores it may use.

use std::num::NonZero;
use std::thread;

use nix::sys::resource::{Resource, getrlimit};

use super::memory_limit;

/// Browsers an instance holds a connection to; a proxy in front keeps far fewer. A client that comes when all are taken
/// waits in the kernel's queue.
const BROWSERS: usize = 4096;

/// What a connection holds at most (`src/web/http/server`): a head, a piece of a body and a piece of an answer, and the
/// kernel about as much again.
const CONNECTION_BYTES: u64 = 64 * 1024;

/// One part in this many of the memory is for connections.
const CONNECTIONS_SHARE: u64 = 4;

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
/// software); a caller that waits for one of those holds no thread.
pub fn blocking_threads(pool_size: u32, workers: usize) -> usize {
    pool_size as usize + workers + workers.div_ceil(2) + 2
}

/// Connections of one worker: no more than the process may have open, because without a file to spare no connection
/// at all would be accepted, and no more than fit into its memory when all of them are at work.
pub fn connections_of(workers: usize) -> usize {
    let (files, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    (connections_within(files, memory_limit()) / workers.max(1)).max(1)
}

fn connections_within(files: u64, memory: Option<u64>) -> usize {
    let files = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES);
    let fitting = memory.map_or(u64::MAX, |bytes| bytes / CONNECTIONS_SHARE / CONNECTION_BYTES);
    files.min(BROWSERS).min(usize::try_from(fitting).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_follow_the_scarcer_of_files_and_memory() {
        const MIB: u64 = 1024 * 1024;
        assert_eq!(connections_within(1_000_000, None), BROWSERS);
        assert_eq!(connections_within(1_000_000, Some(16 * 1024 * MIB)), BROWSERS);
        assert_eq!(connections_within(1_000_000, Some(512 * MIB)), 2048);
        assert_eq!(connections_within(1_000_000, Some(256 * MIB)), 1024);
        assert_eq!(connections_within(1024, Some(512 * MIB)), 1024 - OTHER_FILES);
        assert!(connections_of(1000) >= 1);
    }
}
