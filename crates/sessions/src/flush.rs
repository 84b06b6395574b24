//! Writes `last_seen_at`.

use latchkey_db::Fault;

use super::write_touches::write_touches;
use super::{Owner, Store, queries};

impl<O: Owner> Store<O> {
    /// Flushes without delaying the request. If it fails, the next flush writes the touches.
    pub(super) fn flush_soon(&self) {
        let store = self.clone();
        actix_web::rt::spawn(async move {
            let _ = store.flush_touches().await;
        });
    }

    /// Writes when sessions, scoped keys and the entries of leased caches were last used, and returns how many rows
    /// changed. Ended sessions stay ended, and rows locked by another transaction are skipped: a rotation or revocation
    /// is more recent. [`Background`](crate::Background) calls this every
    /// [`Policy::flush_every`](crate::Policy::flush_every).
    ///
    /// # Errors
    /// A [`Fault`] of the database. What was not written is kept for the next flush.
    pub async fn flush_touches(&self) -> Result<usize, Fault> {
        let (policy, shared) = (self.policy, &self.shared);
        let sessions = write_touches(&self.db, &shared.touches, move |conn, rows| {
            Ok(queries::touch(conn, rows, &policy)?)
        });
        let keys = write_touches(&self.db, &shared.key_touches, |conn, rows| {
            Ok(queries::touch_scoped_keys(conn, rows)?)
        });
        // The keys are written even if writing the sessions failed, and so are the entries.
        let mut written = vec![sessions.await, keys.await];
        for cache in shared.leased_touches.all() {
            written.push(cache.write(&self.db).await);
        }
        written.into_iter().sum()
    }
}
