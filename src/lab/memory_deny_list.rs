//! What a service would keep in its own memory: here the deny-list of one that shares none. A restart empties it, and
//! the service next door has never heard of it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use uuid::Uuid;

use super::LIFE;

/// The memory of the service "shop", by run.
#[derive(Default)]
pub struct Memory(Mutex<HashMap<Uuid, Denied>>);

struct Denied {
    tokens: HashSet<Uuid>,
    since: Instant,
}

impl Memory {
    pub fn deny(&self, run: Uuid, tokens: impl IntoIterator<Item = Uuid>) {
        let mut runs = self.runs();
        let denied =
            runs.entry(run).or_insert_with(|| Denied { tokens: HashSet::new(), since: Instant::now() });
        denied.tokens.extend(tokens);
    }

    pub fn denies(&self, run: Uuid, token: Uuid) -> bool {
        self.runs().get(&run).is_some_and(|denied| denied.tokens.contains(&token))
    }

    pub fn count(&self, run: Uuid) -> usize {
        self.runs().get(&run).map_or(0, |denied| denied.tokens.len())
    }

    /// What a restart does.
    pub fn forget(&self, run: Uuid) {
        self.runs().remove(&run);
    }

    pub fn forget_old(&self) {
        self.runs().retain(|_, denied| denied.since.elapsed() < LIFE);
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<Uuid, Denied>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
