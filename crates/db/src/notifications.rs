//! NOTIFY messages on a connection that listens.

use std::thread;
use std::time::{Duration, Instant};

use diesel::pg::PgConnection;

use super::Fault;

/// Diesel offers no way to wait for a notification, so the connection is polled this often.
const POLL_EVERY: Duration = Duration::from_millis(1);

/// Hands the payload of each notification to `is_last` until that returns `true` or `patience` is over. Blocks.
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
