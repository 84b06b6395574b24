//! The idle connections of one worker to one upstream. The most recently used connection is taken first, so that the
//! others can time out.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::limits::{FRESH, IDLE_CONNECTIONS};

#[derive(Default)]
pub struct IdleConnections(Vec<IdleConnection>);

struct IdleConnection {
    connection: Connection,
    since: Instant,
    keep: Duration,
}

impl IdleConnections {
    /// The connection that was used last, if it may be used for this request. A request that cannot be repeated takes
    /// only one that its upstream has just used.
    pub fn take(&mut self, repeatable: bool, now: Instant) -> Option<Connection> {
        let idle = self.0.pop()?;
        let age = now.duration_since(idle.since);
        if age >= idle.keep {
            // All others were idle for longer.
            self.0.clear();
            return None;
        }
        if !repeatable && age >= FRESH {
            self.0.push(idle);
            return None;
        }
        Some(idle.connection)
    }

    pub fn put(&mut self, connection: Connection, keep: Duration, now: Instant) {
        if self.0.len() >= IDLE_CONNECTIONS {
            self.0.remove(0);
        }
        self.0.push(IdleConnection { connection, since: now, keep });
    }

    /// Closes the connection that was idle for the longest time. False if there is none.
    pub fn close_one(&mut self) -> bool {
        let any = !self.0.is_empty();
        if any {
            self.0.remove(0);
        }
        any
    }

    /// Closes the connections that were idle for too long.
    pub fn sweep(&mut self, now: Instant) {
        self.0.retain(|idle| now.duration_since(idle.since) < idle.keep);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
