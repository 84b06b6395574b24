//! Stores a text that many cached sessions share, such as a user agent, once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// With more texts than this, sharing saves little.
const MAX_TEXTS: usize = 4096;

/// The texts of the sessions in the cache.
#[derive(Default)]
pub(crate) struct Interner(Mutex<HashSet<Arc<str>>>);

impl Interner {
    /// Replaces `text` by the copy stored here, or stores it.
    pub(crate) fn intern(&self, text: &mut Arc<str>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(copy) = known.get(text) {
            *text = Arc::clone(copy);
            return;
        }
        if known.len() >= MAX_TEXTS {
            // Cached sessions keep their copies; a text is stored again when it is next read.
            known.clear();
        }
        known.insert(Arc::clone(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_stored_once_and_the_number_of_texts_is_bounded() {
        let interner = Interner::default();
        let (mut one, mut two): (Arc<str>, Arc<str>) = ("Firefox".into(), "Firefox".into());
        interner.intern(&mut one);
        interner.intern(&mut two);
        assert!(Arc::ptr_eq(&one, &two));
        for number in 0..2 * MAX_TEXTS {
            interner.intern(&mut number.to_string().into());
        }
        assert!(interner.0.lock().unwrap().len() <= MAX_TEXTS);
    }
}
