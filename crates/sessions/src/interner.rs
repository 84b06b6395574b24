//! Stores a value that many cached sessions or keys share, such as a user agent, once.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// With more values than this, sharing saves little.
const MAX_VALUES: usize = 4096;

/// The values that cached sessions and keys share.
pub(crate) struct Interner<T: ?Sized>(Mutex<HashSet<Arc<T>>>);

impl<T: ?Sized> Default for Interner<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Eq + Hash + ?Sized> Interner<T> {
    /// Replaces `value` by the copy stored here, or stores it.
    pub(crate) fn intern(&self, value: &mut Arc<T>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(copy) = known.get(value) {
            *value = Arc::clone(copy);
            return;
        }
        if known.len() >= MAX_VALUES {
            // Cached entries keep their copies. A value is stored again when it is next read.
            known.clear();
        }
        known.insert(Arc::clone(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_stored_once_and_the_number_of_values_is_bounded() {
        let interner = Interner::<str>::default();
        let (mut one, mut two): (Arc<str>, Arc<str>) = ("Firefox".into(), "Firefox".into());
        interner.intern(&mut one);
        interner.intern(&mut two);
        assert!(Arc::ptr_eq(&one, &two));
        for number in 0..2 * MAX_VALUES {
            interner.intern(&mut number.to_string().into());
        }
        assert!(interner.0.lock().unwrap().len() <= MAX_VALUES);
    }
}
