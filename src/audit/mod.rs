//! The audit trail: events, and the hash chain that shows whether one was changed or removed.

mod acting_token;
mod chain;
mod detail;
mod events;
mod hash_chain;
pub(crate) mod queries;
mod record;
mod service;
mod trail;

pub use chain::{BrokenChain, ChainHead, Damage, ErasedUser, IntactChain, InvalidChainHead};
pub use detail::{AppChange, DetailReason, EndedOf, EventDetail, FieldChange, TokenDetail};
pub(crate) use events::NewEvent;
pub use events::{Actor, AuditAction, Event, ValueChange};
pub use service::Audit;
pub use trail::{LinkedRecord, TrailFilter};
