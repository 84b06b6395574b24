//! A lookup of a session or a scoped key that waits for Postgres.

use tokio::sync::oneshot;

use super::batch_loader::{LookupResult, QueuedLookup};
use super::scoped_key::FoundKey;
use super::{KeyHash, LiveSession};

pub(crate) struct Lookup<O> {
    pub(super) key: KeyHash,
    pub(super) wanted: Wanted<O>,
}

/// What kind of key is looked up, and where the answer goes.
pub(super) enum Wanted<O> {
    /// The session's own key.
    Session(oneshot::Sender<LookupResult<LiveSession<O>>>),
    /// A scoped key.
    Scoped(oneshot::Sender<LookupResult<FoundKey<O>>>),
}

impl<O> QueuedLookup for Lookup<O> {
    fn is_closed(&self) -> bool {
        match &self.wanted {
            Wanted::Session(answer) => answer.is_closed(),
            Wanted::Scoped(answer) => answer.is_closed(),
        }
    }
}
