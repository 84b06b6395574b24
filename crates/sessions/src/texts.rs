//! Texts that many sessions have in common, such as the name of a browser, kept once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// More browsers than this are not worth looking through.
const MOST: usize = 4096;

#[derive(Default)]
pub struct Texts(Mutex<HashSet<Arc<str>>>);

impl Texts {
    /// Puts the copy we have in the place of `text`.
    pub fn share(&self, text: &mut Arc<str>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(copy) = known.get(text) {
            *text = Arc::clone(copy);
            return;
        }
        if known.len() >= MOST {
            // Those in use stay what they are, and are soon known again.
            known.clear();
        }
        known.insert(Arc::clone(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_kept_once_and_not_for_ever() {
        let texts = Texts::default();
        let (mut one, mut two): (Arc<str>, Arc<str>) = ("Firefox".into(), "Firefox".into());
        texts.share(&mut one);
        texts.share(&mut two);
        assert!(Arc::ptr_eq(&one, &two));
        for number in 0..2 * MOST {
            texts.share(&mut number.to_string().into());
        }
        assert!(texts.0.lock().unwrap().len() <= MOST);
    }
}
