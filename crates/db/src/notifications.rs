//! NOTIFY messages on a connection that listens.

use std::thread;
use std::time::{Duration, Instant};

use diesel::pg::PgConnection;

use super::Fault;

/// How often the connection is polled, because Diesel cannot wait for a notification.
const POLL_EVERY: Duration = Duration::from_millis(1);

/// Passes the payload of each notification to `is_last` until that returns `true` or `patience` has passed. Blocks.
///
/// # Errors
/// Those of the connection.
pub fn wait(
    conn: &mut PgConnection,
    patience: Duration,
    mut is_last: impl FnMut(&str) -> bool,
) -> Result<(), Fault> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        for notification in conn.notifications_iter() {
            if is_last(&notification?.payload) {
                return Ok(());
            }
        }
        thread::sleep(POLL_EVERY);
    }
    Ok(())
}
