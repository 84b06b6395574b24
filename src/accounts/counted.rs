//! A right password that is still counted like a wrong one, until what it was for is committed. Where that fails (a full
//! disk, a failover), it is given back afterwards: a fault is nobody's wrong password. For whatever asks for one.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;

use super::throttle::Budget;
use crate::db::Db;

/// Between two tries to give it back; doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Some four minutes of trying in all. Whatever is down for longer counted few attempts, because it could not.
const TRIES: u32 = 10;

/// Gives the attempt back when it is dropped without having been [settled](Self::settle).
#[must_use = "dropped, it gives the attempt back"]
pub(super) struct Counted(Option<(Db, Budget)>);

impl Counted {
    pub fn new(db: &Db, budget: &Budget) -> Self {
        Self(Some((db.clone(), budget.clone())))
    }

    /// There is nothing to give back.
    pub const fn not() -> Self {
        Self(None)
    }

    /// What it was for is committed, and what became of the count with it.
    pub fn settle(mut self) {
        self.0 = None;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // A worker that stops has no runtime any more: there the count stays.
        if let (Some((db, budget)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(give_back(db, budget));
        }
    }
}

async fn give_back(db: Db, budget: Budget) {
    let mut wait = FIRST_WAIT;
    for _ in 0..TRIES {
        let undoing = budget.clone();
        if db.write(move |conn| undoing.undo(conn, true)).await.is_ok() {
            return;
        }
        sleep(wait).await;
        wait *= 2;
    }
    tracing::warn!("a right password stays counted as a wrong one: the database would not take it back");
}
