//! The only way off the event loop, for everything that blocks: Diesel and password hashing.

use actix_web::web;

use super::Fault;

/// Runs `work` on the blocking pool.
///
/// # Errors
/// [`Fault::Bug`] when `work` panicked, otherwise what it returned.
pub async fn off_thread<T, F>(work: F) -> Result<T, Fault>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Fault> + Send + 'static,
{
    web::block(work).await.unwrap_or_else(|_| Err(Fault::Bug("a blocking task panicked".into())))
}
