//! Locks and atomics of the cache and of streams, in their own module so that `tests/loom` can replace them by loom's.

pub use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
pub use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use std::thread::yield_now;

/// So many locks that requests of different principals rarely wait for each other.
pub const STREAM_SHARDS: usize = 64;
