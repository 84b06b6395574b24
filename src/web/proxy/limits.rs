//! The limits of the transport that are the same for every app.

use std::time::Duration;

/// How long an idle connection may be used again: below the 5 s after which Node and many other servers close theirs.
pub const IDLE: Duration = Duration::from_secs(4);

/// The longest time that an upstream may name in `Keep-Alive`.
pub const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// How long before the upstream closes a connection Latchkey stops using it.
pub const IDLE_MARGIN: Duration = Duration::from_secs(1);

/// A request that cannot be repeated takes only a connection that was used this recently.
pub const FRESH: Duration = Duration::from_secs(1);

/// Idle connections of one worker to one app: enough for bursts.
pub const IDLE_CONNECTIONS: usize = 64;

/// A connection that has just been used may need a moment until it accepts the next request.
pub const READY_WITHIN: Duration = Duration::from_millis(20);

/// Bytes of a response that are read at once: few wake-ups for a large download, and little memory for a slow client.
pub const READ_BUFFER: usize = 64 * 1024;

/// The longest head of a response: 40 KiB of policies and cookies pass, with room.
pub const RESPONSE_HEAD: usize = 64 * 1024;

/// Header lines of a response. Large applications send a few dozen.
pub const RESPONSE_HEADERS: usize = 256;

/// From this size on, the kernel may buffer more of a response for the client.
pub const LARGE_RESPONSE: u64 = 256 * 1024;

/// Threads that resolve names: a resolver that does not answer takes one thread for each name.
pub const RESOLVERS: usize = 4;

/// Names that may wait to be resolved.
pub const UNRESOLVED: usize = 256;

/// How long the addresses of a name are used. An upstream in a cluster moves within seconds.
pub const RESOLVED_FOR: Duration = Duration::from_secs(10);

/// How long a failure is repeated, so that a busy app without an address does not flood the resolver.
pub const UNRESOLVED_FOR: Duration = Duration::from_secs(1);

/// How often idle connections are checked.
pub const SWEEP: Duration = Duration::from_secs(1);
