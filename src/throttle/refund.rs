//! A right password that is still counted like a wrong one, until what it was for is committed. Where that fails (a full
//! disk, a failover), it is given back afterwards: a fault is nobody's wrong password. For whatever asks for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::rt;
use tokio::time::sleep;

use crate::db::{Db, Fault};
use crate::throttle::attempts::AttemptKeys;

/// Between two tries to give it back; doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Some four minutes of trying in all. Whatever is down for longer counted few attempts, because it could not.
const TRIES: u32 = 10;

/// What is to be [settled](Self::settle) with what came of the rest. A client that goes away settles nothing: what it
/// began is done all the same, and gives back by itself.
pub(crate) struct RefundOnFault(Option<(Db, AttemptKeys)>);

impl Counted {
    pub fn new(db: &Db, attempt_keys: &AttemptKeys) -> Self {
        Self(Some((db.clone(), attempt_keys.clone())))
    }

    /// There is nothing to give back.
    pub const fn not() -> Self {
        Self(None)
    }

    /// Passes `answer` on: where it is a fault, the attempt will not have counted.
    pub fn settle<T>(self, answer: Result<T, Fault>) -> Result<T, Fault> {
        if let (Some((db, attempt_keys)), Err(_)) = (self.0, &answer) {
            rt::spawn(give_back(db, attempt_keys));
        }
        answer
    }
}

/// Once at most: after a try that was done and whose commit nobody answered there is none.
async fn give_back(db: Db, attempt_keys: AttemptKeys) {
    let mut wait = FIRST_WAIT;
    let done = Arc::new(AtomicBool::new(false));
    for attempt in 0..TRIES {
        let (undoing, doing) = (attempt_keys.clone(), done.clone());
        let undone = db
            .write(move |conn| {
                // A block that stands later may be another attempt's.
                undoing.refund(conn, true, attempt == 0)?;
                doing.store(true, Ordering::Relaxed);
                Ok(())
            })
            .await;
        if undone.is_ok() || done.load(Ordering::Relaxed) {
            return;
        }
        sleep(wait).await;
        wait *= 2;
    }
    tracing::warn!("a right password stays counted as a wrong one: the database would not take it back");
}
