//! Writes touches in batches: those of the store's own rows, and those of leased caches.

use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use diesel::pg::PgConnection;
use latchkey_db::time::Moment;
use latchkey_db::{Db, Fault};

use super::touches::Touches;

/// Rows in one statement; it holds their locks until it ends.
const BATCH: usize = 1000;

/// Writes what was noted in `touches` with `write`, and returns how many rows changed. What was not written is noted again.
pub(super) async fn write_touches<K, W>(db: &Db, touches: &Touches<K>, write: W) -> Result<usize, Fault>
where
    K: Copy + Eq + Hash + Ord + Send + 'static,
    W: Fn(&mut PgConnection, &[(K, Moment)]) -> Result<usize, Fault> + Copy + Send + 'static,
{
    let taken = touches.take();
    let (mut written, mut failed) = (0, None);
    for batch in taken.chunks(BATCH) {
        let rows = batch.to_vec();
        match db.write(move |conn| write(conn, &rows)).await {
            Ok(rows) => written += rows,
            // The other batches may still succeed.
            Err(fault) => {
                batch.iter().for_each(|(row, seen)| touches.note(*row, *seen));
                failed = Some(fault);
            }
        }
    }
    failed.map_or(Ok(written), Err)
}

pub(super) type WriteFuture<'f> = Pin<Box<dyn Future<Output = Result<usize, Fault>> + 'f>>;

/// The touches of one leased cache.
pub(super) trait WriteTouches: Send + Sync {
    fn write<'f>(&'f self, db: &'f Db) -> WriteFuture<'f>;
}

/// The leased caches of a store, whose touches are written with its own.
#[derive(Default)]
pub(crate) struct LeasedTouches(RwLock<Vec<Arc<dyn WriteTouches>>>);

impl LeasedTouches {
    pub(super) fn add(&self, cache: Arc<dyn WriteTouches>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(cache);
    }

    pub(super) fn all(&self) -> Vec<Arc<dyn WriteTouches>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
