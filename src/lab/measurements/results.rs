//! The last result of each measurement, and the permission to measure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::figures::{Cost, Stopwatch};

/// A result is not measured again before this, so that repeated requests cost at most a tenth of one core.
const RESULT_LIFE: Duration = Duration::from_secs(60);

/// The `Retry-After` in seconds while another measurement runs and there is no result to show.
pub(super) const RETRY_AFTER: u64 = 3;

/// The last results of this process.
#[derive(Default)]
pub struct MeasurementResults {
    running: AtomicBool,
    pub(super) stopwatch: LastResult<Stopwatch>,
    pub(super) cost: LastResult<Cost>,
}

/// Exclusive permission to measure, released on drop.
pub(super) struct MeasurementPermit(Arc<MeasurementResults>);

impl Drop for MeasurementPermit {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Release);
    }
}

pub(super) fn acquire_permit(results: &Arc<MeasurementResults>) -> Option<MeasurementPermit> {
    let free = results.running.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire).is_ok();
    free.then(|| MeasurementPermit(Arc::clone(results)))
}

/// The last result of one measurement, and when it was measured.
pub(super) struct LastResult<T> {
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
    pub(super) fn get(&self) -> Option<(Arc<T>, Instant)> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, result: T) {
        let result = Some((Arc::new(result), Instant::now()));
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = result;
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.get().is_some_and(|(_, at)| at.elapsed() < RESULT_LIFE)
    }

    /// Whether a new attempt may start now; if so, records it.
    pub(super) fn start_attempt(&self) -> bool {
        let mut attempted = self.attempted.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = attempted.is_none_or(|at| at.elapsed() >= Duration::from_secs(RETRY_AFTER));
        if allowed {
            *attempted = Some(Instant::now());
        }
        allowed
    }
}
