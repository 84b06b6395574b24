//! Who serves sessions from memory, and whether they answer: what a revocation would find. For the operator.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use diesel::pg::PgConnection;
use uuid::Uuid;

use super::queries;
use super::word::Word;
use latchkey_db::{Fault, notifications};

/// The instances a revocation waits for.
#[derive(Debug)]
pub struct RollCall {
    pub instances: usize,
    /// They did not answer. Each costs the next revocation a lease's time, once.
    pub silent: usize,
    /// Waited for in vain before, and still in the table.
    pub gone: usize,
    /// When the last one answered.
    pub took: Duration,
}

/// Asks every instance what a revocation asks, on a connection that stays one. Nobody forgets anything by it.
pub fn roll_call(conn: &mut PgConnection, patience: Duration) -> Result<RollCall, Fault> {
    queries::hear(conn)?;
    let (me, begun) = (Uuid::new_v4(), Instant::now());
    let gone = queries::gone(conn)?;
    let asked = queries::sync(conn, &Word::Sync { from: me, number: 1 }.to_string())?;
    let mut silent: BTreeSet<Uuid> = asked.into_iter().filter(|id| !gone.contains(id)).collect();
    let (instances, mut took) = (silent.len(), Duration::ZERO);
    if instances > 0 {
        notifications::wait(conn, patience, |payload| {
            if let Ok(Word::Ack { to, by, .. }) = payload.parse()
                && to == me
                && silent.remove(&by)
            {
                took = begun.elapsed();
            }
            silent.is_empty()
        })?;
    }
    Ok(RollCall { instances, silent: silent.len(), gone: gone.len(), took })
}
