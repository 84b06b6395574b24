//! Locks and atomics of the cache, in their own module so that `tests/loom` can replace them by loom's.

pub use std::sync::atomic::{AtomicU64, Ordering};
pub use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
