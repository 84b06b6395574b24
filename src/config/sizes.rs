//! How much one instance does at a time, derived from cores, memory and file limits.

use std::num::NonZero;
use std::thread;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::memory_limit;

/// Most connections of clients to one instance. Further clients wait in the queue of the kernel.
const BROWSERS: usize = 4096;

/// Memory of one connection at most (`src/web/http/server`): a head, a part of a body and a part of an answer, and about
/// as much in the kernel.
const CONNECTION_BYTES: u64 = 64 * 1024;

/// Connections may use one part in this many of the memory.
const CONNECTIONS_SHARE: u64 = 4;

/// Most memory of one proxied request (`src/web/proxy`), in addition to the client's connection: parts of both bodies
/// on both sides.
const UPSTREAM_BYTES: u64 = 256 * 1024;

/// Most memory of one websocket, in addition to the client's connection: a part that waits for a slow reader on each
/// side, and about as much in the kernel.
const TUNNEL_BYTES: u64 = 64 * 1024;

/// One of this many connections to upstreams is never held by a websocket, so that pages can be requested.
const REQUESTS_SHARE: usize = 4;

/// If file descriptors are scarce, one of three connections is for an upstream, and two are for clients.
const UPSTREAM_FILES: usize = 3;

/// One of this many client connections is never held by a proxied request or websocket, so that the portal can be reached.
const PORTAL_SHARE: usize = 4;

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
    (connections_within(files(), memory_limit()).clients / workers.max(1)).max(1)
}

/// Most connections of this process to upstreams. A proxied request and a websocket have one each, in addition to their
/// client's.
pub fn upstream_limits() -> UpstreamLimits {
    connections_within(files(), memory_limit()).upstreams
}

/// Raises the limit on open files to what the system allows, as far as connections need it.
pub fn raise_file_limit() {
    let wanted = u64::try_from(OTHER_FILES + 2 * BROWSERS).unwrap_or(u64::MAX);
    if let Ok((files, most)) = getrlimit(Resource::RLIMIT_NOFILE)
        && files < wanted
    {
        // With a lower limit there are fewer connections.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(most), most);
    }
}

fn files() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(files, _)| files)
}

#[derive(Debug, PartialEq)]
struct Connections {
    clients: usize,
    upstreams: UpstreamLimits,
}

/// How many connections to upstreams there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamLimits {
    pub sockets: usize,
    /// For requests, idle ones included.
    pub requests: usize,
    /// For websockets.
    pub tunnels: usize,
}

fn connections_within(files: u64, memory: Option<u64>) -> Connections {
    let files = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES);
    let fitting = |bytes| {
        let fitting = memory.map_or(u64::MAX, |memory| memory / CONNECTIONS_SHARE / bytes);
        usize::try_from(fitting).unwrap_or(usize::MAX)
    };
    let clients = (files - files / UPSTREAM_FILES).min(BROWSERS).min(fitting(CONNECTION_BYTES));
    let sockets = (files - clients).min(clients - clients / PORTAL_SHARE).max(1);
    let requests = sockets.min(fitting(UPSTREAM_BYTES)).max(1);
    let tunnels = (sockets - sockets / REQUESTS_SHARE).min(fitting(TUNNEL_BYTES));
    Connections { clients, upstreams: UpstreamLimits { sockets, requests, tunnels } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_follow_the_scarcer_of_files_and_memory() {
        const MIB: u64 = 1024 * 1024;
        let within = |files, memory| {
            let Connections { clients, upstreams } = connections_within(files, memory);
            (clients, upstreams.requests, upstreams.tunnels)
        };
        assert_eq!(within(1_000_000, None), (BROWSERS, 3072, 2304));
        assert_eq!(within(1_000_000, Some(16 * 1024 * MIB)), (BROWSERS, 3072, 2304));
        assert_eq!(within(1_000_000, Some(512 * MIB)), (2048, 512, 1152));
        assert_eq!(within(1_000_000, Some(256 * MIB)), (1024, 256, 576));
        assert_eq!(within(1024, Some(512 * MIB)), (640, 320, 240));
        assert!(connections_of(1000) >= 1 && upstream_limits().requests >= 1);
    }

    #[test]
    fn two_files_for_each_proxied_request_and_the_portal_always_fit() {
        for files in [64, 100, 256, 1024, 4096, 10_000, 1_000_000] {
            let Connections { clients, upstreams: UpstreamLimits { sockets, requests, tunnels } } =
                connections_within(files, None);
            assert!((clients + sockets).saturating_sub(1) as u64 <= files.saturating_sub(OTHER_FILES as u64));
            assert!(sockets < clients || clients < 2, "{files}");
            assert!(requests <= sockets && (tunnels < sockets || sockets < REQUESTS_SHARE), "{files}");
        }
    }
}
