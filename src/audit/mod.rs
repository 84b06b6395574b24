//! The audit trail: events, and the hash chain that shows whether one was changed or removed.

mod events;
mod hash_chain;
pub(crate) mod queries;
mod service;

pub(crate) use events::NewEvent;
pub use events::{Actor, AuditAction, Event};
pub use hash_chain::{BrokenChain, ChainHead, Damage, ErasedUser, IntactChain, InvalidChainHead};
pub use service::Audit;
