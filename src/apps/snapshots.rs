//! The current snapshot in memory, valid while the instance has its lease.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use uuid::uuid;

use crate::apps::queries;
use crate::apps::snapshot::AppSnapshot;
use crate::db::{Db, Fault};
use crate::identity::User;
use latchkey_sessions::{Changes, Observer, Principal, Store};

/// Under this principal, which no user has, the database announces every change of an app, an origin or a rule. The
/// migration has the same id.
const TOPIC: Principal = Principal(uuid!("a4b5d0c2-3f6e-5d17-9c08-1a7c4b3e0021"));

/// Whether the apps, their origins or their rules may have changed.
pub fn announces_apps(changes: Changes<'_>) -> bool {
    match changes {
        Changes::Everything => true,
        Changes::Principals(principals) => principals.contains(&TOPIC),
    }
}

#[derive(Default)]
pub(super) struct Snapshots {
    cached: RwLock<Cached>,
    /// Held while the apps are read, so that many requests at once read them once.
    loading: Mutex<Option<Loaded>>,
}

#[derive(Default)]
struct Cached {
    snapshot: Option<Arc<AppSnapshot>>,
    /// The last snapshot that was read, valid or not.
    latest: Option<Arc<AppSnapshot>>,
    /// How often the snapshot was invalidated.
    generation: u64,
}

/// The last reading of the database, whether or not it succeeded: while the database is away, requests must not wait
/// for one attempt after the other.
struct Loaded {
    /// When it began.
    begun: Instant,
    result: Result<Arc<AppSnapshot>, Fault>,
}

impl Snapshots {
    /// * `tolerated`: how much older than this call a reading may be.
    pub(super) async fn load(
        &self,
        db: &Db,
        sessions: &Store<User>,
        tolerated: Duration,
    ) -> Result<Arc<AppSnapshot>, Fault> {
        if let Some(snapshot) = self.current(sessions) {
            return Ok(snapshot);
        }
        let asked = Instant::now();
        let mut loading = self.loading.lock().await;
        if let Some(snapshot) = self.current(sessions) {
            return Ok(snapshot);
        }
        // Another request read this snapshot while this one waited, or not long before, so it is new enough.
        if let Some(loaded) = loading.as_ref().filter(|loaded| loaded.begun + tolerated >= asked) {
            return loaded.result.clone();
        }
        let (begun, generation) = (Instant::now(), self.read().generation);
        let result = db.read(queries::stored_apps).await.map(|stored| Arc::new(AppSnapshot::of(stored)));
        *loading = Some(Loaded { begun, result: result.clone() });
        let snapshot = result?;
        let mut cached = self.write();
        cached.latest = Some(Arc::clone(&snapshot));
        // A snapshot that was read before a change was announced must not be kept.
        if cached.generation == generation {
            cached.snapshot = Some(Arc::clone(&snapshot));
        }
        Ok(snapshot)
    }

    /// The last snapshot that was read, without waiting. It may be out of date, so it decides nothing about access.
    pub(super) fn latest(&self) -> Option<Arc<AppSnapshot>> {
        self.read().latest.clone()
    }

    /// The snapshot in memory, if it may be trusted. The lease is asked last: while it holds, every change that was
    /// answered has been announced here.
    fn current(&self, sessions: &Store<User>) -> Option<Arc<AppSnapshot>> {
        let snapshot = self.read().snapshot.clone()?;
        sessions.lease_moment().map(|_| snapshot)
    }

    fn read(&self) -> RwLockReadGuard<'_, Cached> {
        self.cached.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Cached> {
        self.cached.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Snapshots {
    fn invalidated(&self, changes: Changes<'_>) {
        if announces_apps(changes) {
            let mut cached = self.write();
            cached.snapshot = None;
            cached.generation += 1;
        }
    }
}
