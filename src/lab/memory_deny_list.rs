//! The deny-list that one service keeps in its own memory. A restart empties it, and other services do not share it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use uuid::Uuid;

use super::limits::RUN_LIFE;

/// The denied tokens of the service "shop", by run.
#[derive(Default)]
pub struct MemoryDenyList(Mutex<HashMap<Uuid, DeniedTokens>>);

struct DeniedTokens {
    ids: HashSet<Uuid>,
    since: Instant,
}

impl MemoryDenyList {
    pub fn deny(&self, run: Uuid, tokens: impl IntoIterator<Item = Uuid>) {
        let mut runs = self.runs();
        let denied =
            runs.entry(run).or_insert_with(|| DeniedTokens { ids: HashSet::new(), since: Instant::now() });
        denied.ids.extend(tokens);
    }

    pub fn denies(&self, run: Uuid, token: Uuid) -> bool {
        self.runs().get(&run).is_some_and(|denied| denied.ids.contains(&token))
    }

    pub fn count(&self, run: Uuid) -> usize {
        self.runs().get(&run).map_or(0, |denied| denied.ids.len())
    }

    /// Forgets the tokens of one run, as a restart would.
    pub fn clear(&self, run: Uuid) {
        self.runs().remove(&run);
    }

    pub fn delete_expired(&self) {
        self.runs().retain(|_, denied| denied.since.elapsed() < RUN_LIFE);
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<Uuid, DeniedTokens>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
