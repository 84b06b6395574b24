//! Explores every interleaving of filling the cache, or of writing to a stream, and receiving an announcement:
//! `src/cache.rs` and `src/streams.rs` themselves, compiled with loom's locks and atomics instead of the standard ones. The models must also fail for wrong uses of the cache and for
//! caches that each lack one step (`flawed`).
//!
//! No test harness: loom's types exist only inside a model, and the file's own unit tests would run outside of one.

mod flawed;
mod model;
mod stream_model;

#[allow(dead_code, unused_imports)] // The model uses a part of it, and its unit tests run elsewhere.
#[path = "../../src/cache.rs"]
mod cache;

#[allow(dead_code, unused_imports)] // As above.
#[path = "../../src/streams.rs"]
mod streams;

/// The items that these two import from their module.
mod locks {
    pub use loom::sync::atomic::{
        AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    pub use loom::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
    pub use loom::thread::yield_now;

    /// loom follows each lock.
    pub const STREAM_SHARDS: usize = 2;
}

use latchkey_sessions::Principal;

/// loom's counterpart can be created only inside a model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

use flawed::{Flaw, Slot};
use model::{Eviction, Real, WrongUse, run};
use stream_model::Mistake;

type Model = Box<dyn Fn() + Sync + Send>;

fn main() {
    // Like the standard harness: run only the named tests, if any are named.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut failed = 0;
    for (name, holds, model) in models() {
        if !wanted.is_empty() && !wanted.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let begun = std::time::Instant::now();
        let held = run(model, !holds);
        let verdict = if held == holds { "ok" } else { "FAILED" };
        failed += usize::from(held != holds);
        println!("test {name} ... {verdict} ({:.1} s)", begun.elapsed().as_secs_f32());
    }
    assert!(failed == 0, "{failed} failed");
}

/// The names of the models, whether each must hold in every interleaving, and the models themselves.
fn models() -> Vec<(&'static str, bool, Model)> {
    let real = || Real::new(WrongUse::None);
    let slot = |flaw: Flaw| move || Slot::new(flaw);
    vec![
        ("what_was_read_before_a_change_is_not_served_after_it", true, model::fill_and_forget(real)),
        ("nor_when_everything_is_forgotten", true, model::fill_and_clear(real)),
        ("nor_to_a_third_who_asks_meanwhile", true, model::fill_forget_and_get(real)),
        ("nor_of_two_who_fill_while_one_forgets", true, model::two_fill_one_forgets(real)),
        ("nor_when_two_changes_follow_each_other", true, model::two_changes(real)),
        (
            "a_row_that_another_principal_changed_may_be_cached_again",
            true,
            model::change_of_another_principal(real),
        ),
        ("nor_of_two_sessions_while_a_third_makes_room", true, model::two_sessions_of_one_principal()),
        (
            "a_key_is_not_served_with_a_session_that_was_in_memory_before_its_change",
            true,
            model::key_with_its_session(Eviction::SessionsThenKeys, true),
        ),
        (
            "nor_with_one_that_was_read_before_its_change",
            true,
            model::key_with_its_session(Eviction::SessionsThenKeys, false),
        ),
        (
            "nor_with_one_that_another_reads_meanwhile",
            true,
            model::key_and_session_at_once(Eviction::SessionsThenKeys),
        ),
        ("keys_evicted_before_their_sessions_are_caught", false, {
            model::key_with_its_session(Eviction::KeysThenSessions, true)
        }),
        ("a_generation_taken_after_the_reading_is_caught", false, {
            model::fill_and_forget(|| Real::new(WrongUse::GenerationAfterReading))
        }),
        ("forgetting_before_the_change_is_caught", false, {
            model::fill_and_forget(|| Real::new(WrongUse::ForgetBeforeChange))
        }),
        ("nothing_is_written_for_a_stream_after_the_answer", true, {
            stream_model::open_and_revoke(Mistake::None)
        }),
        ("nor_for_one_that_is_decided_again", true, stream_model::recheck_and_revoke(Mistake::None)),
        ("nor_in_the_other_direction", true, stream_model::both_directions_and_revoke()),
        ("a_stream_without_a_second_lookup_is_caught", false, {
            stream_model::open_and_revoke(Mistake::NoSecondLookup)
        }),
        ("a_stream_generation_taken_after_the_lookup_is_caught", false, {
            stream_model::recheck_and_revoke(Mistake::GenerationAfterLookup)
        }),
        ("streams_marked_before_the_change_are_caught", false, {
            stream_model::recheck_and_revoke(Mistake::MarkedBeforeChange)
        }),
        ("the_small_cache_without_a_flaw_holds", true, model::fill_forget_and_get(slot(Flaw::None))),
        ("no_look_at_the_generation_is_caught", false, model::fill_and_forget(slot(Flaw::NoCheck))),
        ("a_look_before_the_lock_is_caught", false, model::fill_and_forget(slot(Flaw::CheckBeforeLock))),
        ("a_generation_moved_too_late_is_caught", false, {
            model::fill_and_forget(slot(Flaw::GenerationAfterRemoving))
        }),
        ("a_generation_never_moved_is_caught", false, model::fill_and_forget(slot(Flaw::GenerationStands))),
    ]
}
