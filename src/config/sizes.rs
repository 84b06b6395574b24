//! How much one instance does at a time, derived from cores, memory and file limits.

use std::num::NonZero;
use std::thread;

use nix::sys::resource::{Resource, getrlimit};

use super::memory_limit;

/// Most connections of clients to one instance. Further clients wait in the queue of the kernel.
const BROWSERS: usize = 4096;

/// Memory of one connection at most (`src/web/http/server`): a head, a part of a body and a part of an answer, and about
/// as much in the kernel.
const CONNECTION_BYTES: u64 = 64 * 1024;

/// Connections may use one part in this many of the memory.
const CONNECTIONS_SHARE: u64 = 4;

/// File descriptors for everything else, such as the database and the mail server.
const OTHER_FILES: usize = 64;

/// Cores that this process may use, limited by the quota of its container.
fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Event loops: one per core, because they never block.
pub(super) fn workers(given: usize) -> usize {
    if given == 0 { cores() } else { given }
}

/// Database connections: four per core keep Postgres busy, and more only wait there. At most 10, because small hosted
/// databases allow 25 and a rollout runs two instances, each with one more connection that listens.
pub(super) fn connections() -> u32 {
    u32::try_from(4 * cores()).unwrap_or(u32::MAX).clamp(5, 10)
}

/// Blocking threads of one worker: enough for every connection and every hash at once. The pool and the permits of the
/// hasher bound the work; a caller that waits for those holds no thread.
pub fn blocking_threads(pool_size: u32, workers: usize) -> usize {
    pool_size as usize + workers + workers.div_ceil(2) + 2
}

/// Client connections of one worker: no more than file descriptors and memory allow. Without a free descriptor, no
/// connection at all could be accepted.
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
