//! Locks and atomics of the cache. A module of its own, so that `tests/loom` can replace them by loom's.

pub use std::sync::atomic::{AtomicU64, Ordering};
pub use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
