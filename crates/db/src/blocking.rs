//! Runs blocking work (Diesel, password hashing) off the event loop.

use tokio::task::spawn_blocking;

use super::{Cause, Fault};

/// Runs `work` on the blocking pool of the current tokio runtime.
///
/// # Errors
/// What `work` returned; [`Fault::Bug`] if it panicked.
pub async fn off_thread<T, F>(work: F) -> Result<T, Fault>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Fault> + Send + 'static,
{
    let panicked = |error| Fault::Bug(Cause::new("a blocking task panicked", error));
    spawn_blocking(work).await.unwrap_or_else(|error| Err(panicked(error)))
}
