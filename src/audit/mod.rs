//! The audit trail: events, and the hash chain that shows whether one was changed or removed.

mod events;
mod hash_chain;
pub(crate) mod queries;

pub(crate) use events::NewEvent;
pub use events::{AuditAction, Actor, Event};
pub use hash_chain::{BrokenChain, Damage, ErasedUser, ChainHead, IntactChain};

use crate::db::Db;

/// Reads and verifies the trail. Operations write their events themselves, in their own transaction.
#[derive(Clone)]
pub struct Audit {
    db: Db,
}

impl Audit {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}
