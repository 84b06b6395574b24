//! The limits of the transport that are the same for every app.

use std::time::Duration;

use socket2::TcpKeepalive;

/// How long an idle connection may be used again: below the 5 s after which Node and many other servers close theirs.
pub const IDLE: Duration = Duration::from_secs(4);

/// The longest time from a `Keep-Alive` header of an upstream that is used.
pub const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// How long before the upstream closes a connection Latchkey stops using it.
pub const IDLE_MARGIN: Duration = Duration::from_secs(1);

/// A request that cannot be repeated uses only a connection that was used this recently.
pub const FRESH: Duration = Duration::from_secs(1);

/// Idle connections of one worker to one app: enough for bursts.
pub const IDLE_CONNECTIONS: usize = 64;

/// Bytes that are read from an upstream at once: the longest head fits.
pub const READ_BUFFER: usize = 64 * 1024;

/// The same within a large response: few system calls, little memory for a slow client, and no more than fits into the
/// buffer from which actix-http writes. It would allocate a larger one again for each write.
pub const LARGE_READ: usize = 120 * 1024;

/// The longest head of a response: enough for 40 KiB of policies and cookies, with room to spare.
pub const RESPONSE_HEAD: usize = 64 * 1024;

/// Header lines of a response. Large applications send a few dozen.
pub const RESPONSE_HEADERS: usize = 256;

/// From this size on, the kernel may buffer more of a response for the client.
pub const LARGE_RESPONSE: u64 = 256 * 1024;

/// Bytes of a websocket that are read at once, and at most wait for a slow reader. They are on the stack: a tunnel has
/// a buffer only while its reader is slow.
pub const TUNNEL_PIECE: usize = 16 * 1024;

/// The kernel's send buffer for the client of a websocket, which the kernel doubles: enough for 20 Mbit/s at 100 ms.
/// What it holds when access ends is still sent to a client that reads.
pub const TUNNEL_SEND_BUFFER: usize = 128 * 1024;

/// The kernel's send buffer for an upstream, which the kernel doubles: enough for 40 Mbit/s at 100 ms. Otherwise an app
/// that reads nothing of an upload takes several megabytes of the kernel's memory.
pub const UPLOAD_SEND_BUFFER: usize = 256 * 1024;

/// How long both sides of a websocket may take to end the connection after a Close frame of ours.
pub const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// How long the client of a websocket may take to end the connection after the upstream has.
pub const CLIENT_ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Asks a silent peer of a websocket after a minute, and gives it up within two: an idle websocket costs three packets
/// a minute, and a peer that has vanished does not keep its tunnel for hours.
pub fn keep_alive() -> TcpKeepalive {
    let every = Duration::from_secs(15);
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(every).with_retries(4)
}

/// Threads that resolve names: a resolver that does not answer takes one thread for each name.
pub const RESOLVERS: usize = 8;

/// Names that may wait to be resolved.
pub const UNRESOLVED: usize = 256;

/// How long the addresses of a name are used. An upstream in a cluster moves within seconds.
pub const RESOLVED_FOR: Duration = Duration::from_secs(10);

/// How long they are used while newer ones cannot be found: a resolver that hangs for one name must not stop the
/// others.
pub const STALE_FOR: Duration = Duration::from_secs(300);

/// How long a failed lookup is remembered, so that a busy app without an address does not flood the resolver.
pub const UNRESOLVED_FOR: Duration = Duration::from_secs(1);

/// How often idle connections are checked.
pub const SWEEP: Duration = Duration::from_secs(1);
