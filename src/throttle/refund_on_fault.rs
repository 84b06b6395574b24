//! A right password counts as a failure until what it was for is committed. If that faults (a full disk, a failover),
//! the attempt is refunded afterwards: a fault of the server is not a wrong password.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::rt;
use tokio::time::sleep;

use crate::db::{Db, Failed, Fault};
use crate::throttle::attempt_keys::AttemptKeys;

/// The wait before the second try to refund; it doubles with each try.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Tries to refund, about four minutes in all. During a longer outage few attempts are counted anyway.
const TRIES: u32 = 10;

/// An attempt to refund if the operation faults: see [`RefundOnFault::if_fault`]. If the client disconnects, nothing is
/// refunded here: the operation goes on without it and resets the counters itself.
pub(crate) struct RefundOnFault {
    db: Db,
    attempt_keys: AttemptKeys,
}

impl RefundOnFault {
    pub fn new(db: &Db, attempt_keys: &AttemptKeys) -> Self {
        Self { db: db.clone(), attempt_keys: attempt_keys.clone() }
    }

    /// Returns `answer`, and refunds the attempt in the background if it is a fault.
    pub fn if_fault<T>(self, answer: Result<T, Fault>) -> Result<T, Fault> {
        if answer.is_err() {
            rt::spawn(refund(self.db, self.attempt_keys));
        }
        answer
    }

    /// As [`RefundOnFault::if_fault`], for an operation that can refuse. A refusal refunds nothing.
    pub fn if_fault_in<T, R>(self, outcome: Result<T, Failed<R>>) -> Result<T, Failed<R>> {
        match outcome {
            Err(Failed::Fault(fault)) => Ok(self.if_fault(Err(fault))?),
            outcome => outcome,
        }
    }
}

/// Refunds at most once: if the statement ran but COMMIT was never acknowledged, stops.
async fn refund(db: Db, attempt_keys: AttemptKeys) {
    let mut wait = FIRST_WAIT;
    let done = Arc::new(AtomicBool::new(false));
    for attempt in 0..TRIES {
        let (keys, ran) = (attempt_keys.clone(), done.clone());
        let refunded = db
            .write(move |conn| {
                // On a later try, the block in force may be that of another attempt.
                keys.refund(conn, true, attempt == 0)?;
                ran.store(true, Ordering::Relaxed);
                Ok(())
            })
            .await;
        if refunded.is_ok() || done.load(Ordering::Relaxed) {
            return;
        }
        sleep(wait).await;
        wait *= 2;
    }
    tracing::warn!("gave up refunding an attempt: a right password stays counted as a failure");
}
