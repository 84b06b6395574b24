//! What the stopwatch and the cost measurement share: one measurement at a time, the last result of each, and a run of
//! their own that is deleted in every case.

mod cost;
mod stopwatch;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::rt;
use tokio::time::sleep;

use super::{ClientInfo, Lab, Run, Subject, queries};
use crate::db::{Db, Fault, off_thread};
use crate::secret::Token;
use latchkey_sessions::{InvalidationListener, NewSession, Store};

pub use cost::{CheckCost, CheckKind, Cost, Operation, OperationCost, RowWrites};
pub use stopwatch::{Spread, Stopwatch};

/// No new round begins after this. With set-up and clean-up a measurement takes at most two seconds while the database
/// answers. It computes on one worker's thread and yields after every check.
const TIME_LIMIT: Duration = Duration::from_millis(1300);

/// A result is not measured again before this, so that repeated requests cost at most a tenth of one core.
const RESULT_LIFE: Duration = Duration::from_secs(60);

/// The `Retry-After` in seconds while another measurement runs and there is no result to show.
const RETRY_AFTER: u64 = 3;

/// How long an instance may take until its cache is trusted. After this it does not receive notifications.
const TRUSTED_WITHIN: Duration = Duration::from_secs(1);

/// Cache size of an instance of a measurement: the sessions of its run.
const CACHED_SESSIONS: usize = 64;

/// Stored in place of a network: marks the run of a measurement.
const MEASUREMENT: &str = "measurement";

/// The last results of this process.
#[derive(Default)]
pub struct Results {
    running: AtomicBool,
    stopwatch: LastResult<Stopwatch>,
    cost: LastResult<Cost>,
}

/// Exclusive permission to measure, released on drop.
struct MeasurementPermit(Arc<Results>);

impl Drop for MeasurementPermit {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Release);
    }
}

fn acquire_permit(results: &Arc<Results>) -> Option<MeasurementPermit> {
    let free = results.running.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire).is_ok();
    free.then(|| MeasurementPermit(Arc::clone(results)))
}

/// The last result of one measurement, and when it was measured.
struct LastResult<T> {
    result: Mutex<Option<(Arc<T>, Instant)>>,
    /// When the last attempt started, so that a failed one is not repeated at once.
    attempted: Mutex<Option<Instant>>,
}

impl<T> Default for LastResult<T> {
    fn default() -> Self {
        Self { result: Mutex::new(None), attempted: Mutex::new(None) }
    }
}

impl<T> LastResult<T> {
    fn get(&self) -> Option<(Arc<T>, Instant)> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, result: T) {
        let result = Some((Arc::new(result), Instant::now()));
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = result;
    }

    fn is_fresh(&self) -> bool {
        self.get().is_some_and(|(_, at)| at.elapsed() < RESULT_LIFE)
    }

    /// Whether a new attempt may start now; if so, records it.
    fn start_attempt(&self) -> bool {
        let mut attempted = self.attempted.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = attempted.is_none_or(|at| at.elapsed() >= Duration::from_secs(RETRY_AFTER));
        if allowed {
            *attempted = Some(Instant::now());
        }
        allowed
    }
}

/// The answer to a request for a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasurementStatus {
    /// There is a result: measured now or shortly before.
    Available,
    /// Another measurement runs and there is no result yet.
    Busy { retry_after: u64 },
}

impl Lab {
    pub fn last_stopwatch(&self) -> Option<(Arc<Stopwatch>, Instant)> {
        self.results.stopwatch.get()
    }

    pub fn last_cost(&self) -> Option<(Arc<Cost>, Instant)> {
        self.results.cost.get()
    }

    /// Measures how long a revocation takes, unless there is a recent result.
    ///
    /// # Errors
    /// Any [`Fault`] of the database; the last result is kept.
    pub async fn request_stopwatch(&self) -> Result<MeasurementStatus, Fault> {
        let lab = self.clone();
        self.request(&self.results.stopwatch, async move {
            lab.results.stopwatch.set(lab.time_revocations().await?);
            Ok(())
        })
        .await
    }

    /// Measures what each side costs, unless there is a recent result.
    ///
    /// # Errors
    /// Any [`Fault`] of the database; the last result is kept.
    pub async fn request_cost(&self) -> Result<MeasurementStatus, Fault> {
        let lab = self.clone();
        self.request(&self.results.cost, async move {
            lab.results.cost.set(lab.measure_cost().await?);
            Ok(())
        })
        .await
    }

    async fn request<T>(
        &self,
        last: &LastResult<T>,
        measurement: impl Future<Output = Result<(), Fault>> + 'static,
    ) -> Result<MeasurementStatus, Fault> {
        let busy = MeasurementStatus::Busy { retry_after: RETRY_AFTER };
        let Some(permit) = acquire_permit(&self.results) else {
            return Ok(if last.get().is_some() { MeasurementStatus::Available } else { busy });
        };
        if last.is_fresh() {
            return Ok(MeasurementStatus::Available);
        }
        if !last.start_attempt() {
            return Ok(busy);
        }
        // A task of its own, so that the clean-up also runs if the client disconnects.
        let measured = rt::spawn(async move {
            let _permit = permit;
            measurement.await
        });
        measured.await.map_err(Fault::bug)??;
        Ok(MeasurementStatus::Available)
    }

    /// Opens a run for a measurement, and deletes it afterwards even if the measurement fails.
    pub(super) async fn with_run<T>(
        &self,
        work: impl AsyncFnOnce(&Run) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        // The key is discarded: this run is found by its id.
        let hash = Token::generate()?.hash();
        let run = self.db.write(move |conn| queries::insert(conn, &hash, MEASUREMENT)).await?;
        let answer = work(&run).await;
        let id = run.id;
        let ended = self.db.write(move |conn| queries::delete(conn, id)).await;
        let value = answer?;
        ended?;
        Ok(value)
    }

    pub(super) fn login_of(&self, run: &Run) -> NewSession {
        ClientInfo::default().login(run, MEASUREMENT)
    }
}

/// Instances of the session engine, each with its own cache and listening connection: to each other they are what two
/// servers are. Every revocation on this database waits for them as for any instance, which takes milliseconds. If the
/// process is killed during a measurement, the next revocation waits for their leases once, for half a second.
struct Instances {
    sessions: Vec<Store<Subject>>,
    listeners: Vec<InvalidationListener>,
}

impl Instances {
    /// Starts `count` instances, runs `work` once their caches are trusted, and stops them afterwards.
    async fn with<T>(
        db: &Db,
        count: usize,
        work: impl AsyncFnOnce(&[Store<Subject>]) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let sessions: Vec<_> = (0..count)
            .map(|_| Store::builder(db.clone()).owner().policy(Lab::policy(CACHED_SESSIONS)).build())
            .collect();
        let listeners = sessions.iter().map(Store::listen).collect();
        let instances = Self { sessions, listeners };
        let answer = match instances.wait_until_trusted().await {
            Ok(()) => work(&instances.sessions).await,
            Err(fault) => Err(fault),
        };
        let listeners = instances.listeners;
        off_thread(move || {
            listeners.into_iter().for_each(InvalidationListener::stop);
            Ok(())
        })
        .await?;
        answer
    }

    async fn wait_until_trusted(&self) -> Result<(), Fault> {
        let started = Instant::now();
        while !self.sessions.iter().all(Store::has_lease) {
            if started.elapsed() > TRUSTED_WITHIN {
                let why = "the instances of a measurement receive no notifications from the database";
                return Err(Fault::Unavailable(why.into()));
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}
