//! Pings the instances that serve sessions from memory: those that a revocation would wait for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use diesel::pg::PgConnection;
use latchkey_db::{Fault, notifications};
use uuid::Uuid;

use super::message::Message;
use super::queries;

/// The instances that a revocation waits for.
#[derive(Debug)]
pub struct InstancePing {
    /// The number of instances.
    pub instances: usize,
    /// The number that did not answer. Each delays the next revocation by one lease, once.
    pub silent: usize,
    /// Instances that did not answer an earlier revocation and are still in the table.
    pub gone: usize,
    /// When the last answer came.
    pub took: Duration,
}

/// Sends every instance the request that a revocation sends, and waits at most `patience`. No instance evicts anything.
/// `conn` must keep one server connection, such as one of
/// [`Db::connect_dedicated`](latchkey_db::Db::connect_dedicated).
///
/// ```no_run
/// # fn example(db: &latchkey_sessions::Db) -> Result<(), latchkey_sessions::Fault> {
/// use std::time::Duration;
/// use latchkey_sessions::ping_instances;
///
/// let ping = ping_instances(&mut db.connect_dedicated()?, Duration::from_secs(1))?;
/// println!("{} of {} instances answered in {:?}", ping.instances - ping.silent, ping.instances, ping.took);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of the connection.
pub fn ping_instances(conn: &mut PgConnection, patience: Duration) -> Result<InstancePing, Fault> {
    queries::listen(conn)?;
    let (me, begun) = (Uuid::new_v4(), Instant::now());
    let gone = queries::gone(conn)?;
    let asked = queries::notify_all(conn, &Message::Sync { from: me, number: 1 }.to_string())?;
    let mut silent: BTreeSet<Uuid> = asked.into_iter().filter(|id| !gone.contains(id)).collect();
    let (instances, mut took) = (silent.len(), Duration::ZERO);
    if instances > 0 {
        notifications::wait(conn, patience, |payload| {
            if let Ok(Message::Ack { to, by, .. }) = payload.parse()
                && to == me
                && silent.remove(&by)
            {
                took = begun.elapsed();
            }
            silent.is_empty()
        })?;
    }
    Ok(InstancePing { instances, silent: silent.len(), gone: gone.len(), took })
}
