//! A database of one row, a cache in front of it, and its users. The row is a number that only grows.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc as Shared;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use crate::cache::{Cache, Entry, Generation};
use crate::{KeyHash, Model, Principal};

/// A cache of the row: the real one, or one that lacks a step.
pub trait Kept: Send + Sync + 'static {
    /// Reads `row` and caches the value.
    fn fill(&self, row: &AtomicU64);
    /// Changes `row` to `version`, and returns when no reader is served the old value.
    fn change(&self, row: &AtomicU64, version: u64);
    /// The same, for a change of an unknown principal.
    fn change_everything(&self, row: &AtomicU64, version: u64);
    /// A change of another principal.
    fn change_of_another(&self);
    fn get(&self) -> Option<u64>;
}

/// How the real cache could be misused.
#[derive(Clone, Copy, PartialEq)]
pub enum WrongUse {
    None,
    GenerationAfterReading,
    ForgetBeforeChange,
}

pub struct Real {
    cache: Cache<Shared<Version>>,
    wrong: WrongUse,
}

struct Version(KeyHash, u64, Principal);

impl Entry for Version {
    fn key(&self) -> &KeyHash {
        &self.0
    }

    fn principal(&self) -> Principal {
        self.2
    }

    fn last_used(&self) -> i64 {
        0
    }
}

fn owner(number: u128) -> Principal {
    Principal(uuid::Uuid::from_u128(number))
}

impl Real {
    pub fn new(wrong: WrongUse) -> Self {
        // One shard is enough, because operations on different shards are not ordered.
        Self { cache: Cache::with_shards(2, 1), wrong }
    }

    fn key() -> KeyHash {
        KeyHash::new([7; 32])
    }

    fn announce(&self, row: &AtomicU64, version: u64, announce: impl Fn(&Cache<Shared<Version>>)) {
        if self.wrong == WrongUse::ForgetBeforeChange {
            announce(&self.cache);
        }
        row.store(version, Ordering::SeqCst);
        if self.wrong != WrongUse::ForgetBeforeChange {
            announce(&self.cache);
        }
    }
}

impl Kept for Real {
    fn fill(&self, row: &AtomicU64) {
        let before: Generation = self.cache.generation();
        let version = row.load(Ordering::SeqCst);
        let after: Generation = self.cache.generation();
        let seen = if self.wrong == WrongUse::GenerationAfterReading { after } else { before };
        self.cache.insert(Shared::new(Version(Self::key(), version, owner(1))), seen);
    }

    fn change(&self, row: &AtomicU64, version: u64) {
        self.announce(row, version, |cache| cache.remove_all_of(&[owner(1)]));
    }

    fn change_everything(&self, row: &AtomicU64, version: u64) {
        self.announce(row, version, Cache::clear);
    }

    fn change_of_another(&self) {
        self.cache.remove_all_of(&[owner(2)]);
    }

    fn get(&self) -> Option<u64> {
        self.cache.get(&Self::key()).map(|kept| kept.1)
    }
}

/// Two sessions of one principal are inserted while a session of another principal evicts one of them, and a change
/// removes both: the index of principals agrees with that of keys, in every order.
pub fn two_sessions_of_one_principal() -> Model {
    Box::new(|| {
        let (cache, row) = (Arc::new(Cache::with_shards(2, 1)), Arc::new(AtomicU64::new(0)));
        let key = |number: u8| KeyHash::new([number; 32]);
        let fill =
            move |cache: &Cache<Shared<Version>>, row: &AtomicU64, number: u8, principal: Principal| {
                let seen = cache.generation();
                let version = row.load(Ordering::SeqCst);
                cache.insert(Shared::new(Version(key(number), version, principal)), seen);
            };
        fill(&cache, &row, 1, owner(1));
        let fillers = [(2, owner(1)), (3, owner(2))].map(|(number, principal)| {
            let (cache, row) = (Arc::clone(&cache), Arc::clone(&row));
            thread::spawn(move || fill(&cache, &row, number, principal))
        });
        row.store(1, Ordering::SeqCst);
        cache.remove_all_of(&[owner(1)]);
        let is_gone = |number| cache.get(&key(number)).is_none_or(|kept| kept.1 == 1);
        assert!(is_gone(1) && is_gone(2), "served after it was taken back");
        fillers.into_iter().for_each(|filler| filler.join().unwrap());
        assert!(is_gone(1) && is_gone(2), "kept after it was taken back");
        cache.remove_all_of(&[owner(1), owner(2)]);
        assert!([1, 2, 3].into_iter().all(|number| cache.get(&key(number)).is_none()));
        assert_eq!(cache.len(), 0);
    })
}

/// In which order a change evicts what is cached.
#[derive(Clone, Copy, PartialEq)]
pub enum Eviction {
    SessionsThenKeys,
    KeysThenSessions,
}

/// Two caches: the session's row, and a scoped key that is cached together with the session. The key's filler takes the
/// session that is in memory, or reads it.
struct WithKeys {
    sessions: Cache<Shared<Version>>,
    keys: Cache<Shared<Version>>,
    order: Eviction,
}

impl WithKeys {
    fn new(order: Eviction) -> Arc<Self> {
        Arc::new(Self { sessions: Cache::with_shards(2, 1), keys: Cache::with_shards(2, 1), order })
    }

    fn fill_session(&self, row: &AtomicU64) -> Shared<Version> {
        let seen = self.sessions.generation();
        let session = Shared::new(Version(Real::key(), row.load(Ordering::SeqCst), owner(1)));
        self.sessions.insert(Shared::clone(&session), seen);
        session
    }

    fn fill_key(&self, row: &AtomicU64) {
        let seen = self.keys.generation();
        let session = self.sessions.get(&Real::key()).unwrap_or_else(|| self.fill_session(row));
        self.keys.insert(session, seen);
    }

    fn change(&self, row: &AtomicU64) {
        row.store(1, Ordering::SeqCst);
        match self.order {
            Eviction::SessionsThenKeys => {
                self.sessions.remove_all_of(&[owner(1)]);
                self.keys.remove_all_of(&[owner(1)]);
            }
            Eviction::KeysThenSessions => {
                self.keys.remove_all_of(&[owner(1)]);
                self.sessions.remove_all_of(&[owner(1)]);
            }
        }
    }

    fn is_stale(&self) -> bool {
        self.keys.get(&Real::key()).is_some_and(|kept| kept.1 == 0)
    }
}

/// A lookup caches a key with a session, from memory or from the database, while the session changes.
pub fn key_with_its_session(order: Eviction, in_memory: bool) -> Model {
    Box::new(move || {
        let (caches, row) = (WithKeys::new(order), Arc::new(AtomicU64::new(0)));
        if in_memory {
            caches.fill_session(&row);
        }
        let filler = {
            let (caches, row) = (Arc::clone(&caches), Arc::clone(&row));
            thread::spawn(move || caches.fill_key(&row))
        };
        caches.change(&row);
        assert!(!caches.is_stale(), "served after it was taken back");
        filler.join().unwrap();
        assert!(!caches.is_stale(), "kept after it was taken back");
    })
}

/// The same while another lookup fills the session.
pub fn key_and_session_at_once(order: Eviction) -> Model {
    Box::new(move || {
        let (caches, row) = (WithKeys::new(order), Arc::new(AtomicU64::new(0)));
        let fillers = [true, false].map(|of_key| {
            let (caches, row) = (Arc::clone(&caches), Arc::clone(&row));
            thread::spawn(
                move || if of_key { caches.fill_key(&row) } else { drop(caches.fill_session(&row)) },
            )
        });
        caches.change(&row);
        assert!(!caches.is_stale(), "served after it was taken back");
        fillers.into_iter().for_each(|filler| filler.join().unwrap());
        assert!(!caches.is_stale(), "kept after it was taken back");
    })
}

/// Whether `model` holds in every interleaving. The output of a model that must fail is suppressed.
pub fn run(model: Model, meant_to_fail: bool) -> bool {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Loom ends its own threads with a panic without a message.
        let says = panic.payload().is::<&str>() || panic.payload().is::<String>();
        if says && !meant_to_fail {
            say(panic);
        }
    }));
    let mut builder = loom::model::Builder::new();
    // Three preemptions find the bugs of mutexes and counters; exploring all of them takes hours.
    builder.preemption_bound = Some(3);
    let held = catch_unwind(AssertUnwindSafe(|| builder.check(model))).is_ok();
    let _ = std::panic::take_hook();
    held
}

fn begin<K: Kept>(new: &impl Fn() -> K) -> (Arc<K>, Arc<AtomicU64>) {
    (Arc::new(new()), Arc::new(AtomicU64::new(0)))
}

/// One thread fills while another changes the row.
pub fn fill_and_forget<K: Kept>(new: impl Fn() -> K + Send + Sync + 'static) -> Model {
    Box::new(move || {
        let (kept, row) = begin(&new);
        let filler = {
            let (kept, row) = (Arc::clone(&kept), Arc::clone(&row));
            thread::spawn(move || kept.fill(&row))
        };
        kept.change(&row, 1);
        assert_ne!(kept.get(), Some(0), "served after it was taken back");
        filler.join().unwrap();
        assert_ne!(kept.get(), Some(0), "kept after it was taken back");
    })
}

pub fn fill_and_clear<K: Kept>(new: impl Fn() -> K + Send + Sync + 'static) -> Model {
    Box::new(move || {
        let (kept, row) = begin(&new);
        kept.fill(&row);
        assert_eq!(kept.get(), Some(0));
        let filler = {
            let (kept, row) = (Arc::clone(&kept), Arc::clone(&row));
            thread::spawn(move || kept.fill(&row))
        };
        kept.change_everything(&row, 1);
        assert_ne!(kept.get(), Some(0));
        filler.join().unwrap();
        assert_ne!(kept.get(), Some(0));
    })
}

/// A third thread reads, and knows when the change was answered.
pub fn fill_forget_and_get<K: Kept>(new: impl Fn() -> K + Send + Sync + 'static) -> Model {
    Box::new(move || {
        let (kept, row) = begin(&new);
        let answered = Arc::new(AtomicU64::new(0));
        let filler = {
            let (kept, row) = (Arc::clone(&kept), Arc::clone(&row));
            thread::spawn(move || kept.fill(&row))
        };
        let getter = {
            let (kept, answered) = (Arc::clone(&kept), Arc::clone(&answered));
            thread::spawn(move || {
                let after = answered.load(Ordering::SeqCst) == 1;
                let got = kept.get();
                assert!(!(after && got == Some(0)), "served after the answer");
            })
        };
        kept.change(&row, 1);
        answered.store(1, Ordering::SeqCst);
        filler.join().unwrap();
        getter.join().unwrap();
        assert_ne!(kept.get(), Some(0));
    })
}

pub fn two_fill_one_forgets<K: Kept>(new: impl Fn() -> K + Send + Sync + 'static) -> Model {
    Box::new(move || {
        let (kept, row) = begin(&new);
        let fillers = [0, 1].map(|_| {
            let (kept, row) = (Arc::clone(&kept), Arc::clone(&row));
            thread::spawn(move || kept.fill(&row))
        });
        kept.change(&row, 1);
        assert_ne!(kept.get(), Some(0));
        fillers.into_iter().for_each(|filler| filler.join().unwrap());
        assert_ne!(kept.get(), Some(0));
    })
}

pub fn two_changes<K: Kept>(new: impl Fn() -> K + Send + Sync + 'static) -> Model {
    Box::new(move || {
        let (kept, row) = begin(&new);
        let filler = {
            let (kept, row) = (Arc::clone(&kept), Arc::clone(&row));
            thread::spawn(move || kept.fill(&row))
        };
        for version in 1..=2 {
            kept.change(&row, version);
            assert!(kept.get().is_none_or(|got| got == version));
        }
        filler.join().unwrap();
        assert!(kept.get().is_none_or(|got| got == 2));
    })
}

/// The change may discard a fill in progress, but never causes a wrong answer or evicts this principal's entry.
pub fn change_of_another_principal<K: Kept>(new: impl Fn() -> K + Send + Sync + 'static) -> Model {
    Box::new(move || {
        let (kept, row) = begin(&new);
        kept.fill(&row);
        let filler = {
            let (kept, row) = (Arc::clone(&kept), Arc::clone(&row));
            thread::spawn(move || kept.fill(&row))
        };
        kept.change_of_another();
        assert_eq!(kept.get(), Some(0));
        filler.join().unwrap();
        assert_eq!(kept.get(), Some(0));
    })
}
