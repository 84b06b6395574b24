//! Background work: listening for invalidations, writing touches, deleting tombstones.

use std::mem;
use std::pin::Pin;
use std::time::Duration;

use actix_web::rt::task::{JoinHandle, spawn_blocking};
use actix_web::rt::{spawn, time};
use latchkey_db::Fault;

use super::{InvalidationListener, Owner, Store};

/// The background work of a [`Store`]: the invalidation listener, the flush of `last_seen_at`, and the sweep of ended
/// sessions. It ends when this is dropped; call [`Background::stop`] to end it in good order.
///
/// ```no_run
/// # async fn example(db: latchkey_sessions::Db) -> Result<(), latchkey_sessions::Fault> {
/// use latchkey_sessions::Store;
///
/// let (store, background) = Store::builder(db).spawn();
/// // … serve with clones of `store` until the server has stopped …
/// background.stop().await
/// # }
/// ```
pub struct Background {
    listener: Option<InvalidationListener>,
    tasks: Vec<JoinHandle<()>>,
    /// For the last flush, after the tasks have ended.
    flush: Box<dyn FnOnce() -> LastFlush>,
}

type LastFlush = Pin<Box<dyn Future<Output = Result<(), Fault>>>>;

impl Background {
    /// Writes the pending touches and gives up the lease, so that no revocation waits for this instance. Call it when
    /// no more requests run.
    ///
    /// # Errors
    /// A [`Fault`] of the last flush; the listener is stopped in any case.
    pub async fn stop(mut self) -> Result<(), Fault> {
        self.tasks.drain(..).for_each(|task| task.abort());
        let flush = mem::replace(&mut self.flush, Box::new(|| Box::pin(async { Ok(()) })));
        let flushed = flush().await;
        if let Some(listener) = self.listener.take() {
            spawn_blocking(move || listener.stop()).await.map_err(Fault::bug)?;
        }
        flushed
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl<O: Owner> Store<O> {
    /// Starts what [`Builder::spawn`](crate::Builder::spawn) starts, for applications whose database becomes ready
    /// after the store was built. Call it once, inside an actix runtime.
    ///
    /// # Panics
    /// Outside an actix runtime.
    pub fn start_background(&self) -> Background {
        // Without a cache nothing has to be invalidated, and no revocation has to wait for this instance.
        let listener = (self.policy.cached > 0).then(|| self.listen());
        let mut tasks = vec![spawn(flush_forever(self.clone()))];
        if let Some(every) = self.policy.sweep_every {
            tasks.push(spawn(sweep_forever(self.clone(), every)));
        }
        let store = self.clone();
        let flush = move || -> LastFlush { Box::pin(async move { store.flush_touches().await.map(drop) }) };
        Background { listener, tasks, flush: Box::new(flush) }
    }
}

async fn flush_forever<O: Owner>(store: Store<O>) {
    loop {
        time::sleep(store.policy.flush_every()).await;
        if let Err(fault) = store.flush_touches().await {
            tracing::warn!(%fault, "cannot write when sessions were last used");
        }
    }
}

async fn sweep_forever<O: Owner>(store: Store<O>, every: Duration) {
    loop {
        if let Err(fault) = store.sweep().await {
            tracing::warn!(%fault, "cannot delete ended sessions");
        }
        time::sleep(every).await;
    }
}
