//! Permits for hashes that run at once, and a bounded queue of callers that wait for one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::busy::{BUSY, HasherBusy, HashesRefused};

/// How long a caller waits for a permit: after that the user has submitted the form again.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Cloning shares the permits and the queue.
#[derive(Clone)]
pub(super) struct HashQueue {
    permits: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// The total number of permits, and of places in the queue.
    sizes: (u32, usize),
    pub max_wait: Duration,
}

impl HashQueue {
    /// * `permits`: at least one.
    /// * `queue`: how many callers may wait; the next one gets [`HasherBusy`] at once.
    pub fn new(permits: usize, queue: usize) -> Self {
        // The semaphore takes the number of permits as a u32.
        let size = u32::try_from(permits.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let queue = queue.min(Semaphore::MAX_PERMITS);
        Self {
            permits: Arc::new(Semaphore::new(size as usize)),
            queue: Arc::new(Semaphore::new(queue)),
            sizes: (size, queue),
            max_wait: MAX_WAIT,
        }
    }

    /// The total number of permits.
    pub fn size(&self) -> u32 {
        self.sizes.0
    }

    pub fn running(&self) -> usize {
        (self.sizes.0 as usize).saturating_sub(self.permits.available_permits())
    }

    pub fn waiting(&self) -> usize {
        self.sizes.1.saturating_sub(self.queue.available_permits())
    }

    /// Waits for `permits` permits, first come, first served.
    ///
    /// # Errors
    /// [`HasherBusy`] if the queue is full or no permit is free in time; counted in `refused`.
    pub async fn acquire(
        &self,
        permits: u32,
        refused: &HashesRefused,
    ) -> Result<OwnedSemaphorePermit, HasherBusy> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_many_owned(permits) {
            return Ok(permit);
        }
        let _place = self.queue.try_acquire().inspect_err(|_| refused.full.count()).map_err(|_| BUSY)?;
        let turn = Arc::clone(&self.permits).acquire_many_owned(permits);
        let turn = tokio::time::timeout(self.max_wait, turn).await.inspect_err(|_| refused.slow.count());
        turn.map_err(|_| BUSY)?.map_err(|_| BUSY)
    }
}
