//! A cache of one entry, with single steps left out. The models must detect each omission.

use loom::sync::RwLock;
use loom::sync::atomic::{AtomicU64, Ordering};

use crate::model::Kept;

/// The step that is missing.
#[derive(Clone, Copy, PartialEq)]
pub enum Flaw {
    None,
    NoCheck,
    CheckBeforeLock,
    GenerationAfterRemoving,
    GenerationStands,
}

pub struct Slot {
    generation: AtomicU64,
    entry: RwLock<Option<u64>>,
    flaw: Flaw,
}

impl Slot {
    pub fn new(flaw: Flaw) -> Self {
        Self { generation: AtomicU64::new(0), entry: RwLock::new(None), flaw }
    }

    fn announce(&self, removes: bool) {
        let moves = |when: bool| {
            if when && self.flaw != Flaw::GenerationStands {
                self.generation.fetch_add(1, Ordering::SeqCst);
            }
        };
        moves(self.flaw != Flaw::GenerationAfterRemoving);
        if removes {
            *self.entry.write().unwrap() = None;
        }
        moves(self.flaw == Flaw::GenerationAfterRemoving);
    }
}

impl Kept for Slot {
    fn fill(&self, row: &AtomicU64) {
        let seen = self.generation.load(Ordering::SeqCst);
        let version = row.load(Ordering::SeqCst);
        let unmoved = || self.generation.load(Ordering::SeqCst) == seen;
        let before = unmoved();
        let mut entry = self.entry.write().unwrap();
        let may = match self.flaw {
            Flaw::NoCheck => true,
            Flaw::CheckBeforeLock => before,
            _ => unmoved(),
        };
        if may {
            *entry = Some(version);
        }
    }

    fn change(&self, row: &AtomicU64, version: u64) {
        row.store(version, Ordering::SeqCst);
        self.announce(true);
    }

    fn change_everything(&self, row: &AtomicU64, version: u64) {
        self.change(row, version);
    }

    fn change_of_another(&self) {
        self.announce(false);
    }

    fn get(&self) -> Option<u64> {
        *self.entry.read().unwrap()
    }
}
