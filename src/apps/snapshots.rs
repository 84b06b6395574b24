//! The current snapshot in memory, valid while the instance has its lease.

use std::sync::{Arc, PoisonError, RwLock};

use crate::apps::queries;
use crate::apps::snapshot::Snapshot;
use crate::db::{Db, Fault};
use crate::identity::User;
use latchkey_sessions::Store;

#[derive(Default)]
pub(super) struct Snapshots {
    current: RwLock<Cached>,
}

#[derive(Default)]
struct Cached {
    snapshot: Option<Arc<Snapshot>>,
    /// How often the snapshot was invalidated.
    generation: u64,
}

impl Snapshots {
    pub(super) async fn load(&self, db: &Db, sessions: &Store<User>) -> Result<Arc<Snapshot>, Fault> {
        let generation = {
            let cached = self.current.read().unwrap_or_else(PoisonError::into_inner);
            match &cached.snapshot {
                Some(snapshot) if sessions.has_lease() => return Ok(Arc::clone(snapshot)),
                _ => cached.generation,
            }
        };
        let snapshot = Arc::new(Snapshot::new(db.read(queries::all_apps).await?));
        let mut cached = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // What was read before a change was announced must not be kept.
        if cached.generation == generation {
            cached.snapshot = Some(Arc::clone(&snapshot));
        }
        Ok(snapshot)
    }
}
