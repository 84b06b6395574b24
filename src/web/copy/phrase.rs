//! A text with its code.

use std::borrow::Cow;

/// A sentence or a part of one, and the code that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    pub code: &'static str,
    pub text: Cow<'static, str>,
}

impl Phrase {
    pub const fn new(code: &'static str, text: &'static str) -> Self {
        Self { code, text: Cow::Borrowed(text) }
    }

    pub fn with(code: &'static str, text: String) -> Self {
        Self { code, text: Cow::Owned(text) }
    }
}
