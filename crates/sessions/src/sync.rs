//! What threads share. In a module of its own so that `tests/loom` can put its own in this place.

pub use std::sync::atomic::{AtomicU64, Ordering};
pub use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
