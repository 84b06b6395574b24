//! Mailed links as data: their purposes, what they refer to, and how long they work.

use time::OffsetDateTime;

use crate::config::{LinkLifetimes, Span};
use crate::secret::TokenHash;
use latchkey_sessions::Handle;

macro_rules! purposes {
    ($($(#[$doc:meta])* $name:ident = $stored:literal, $path:literal, $lifetime:ident, $several:ident);* $(;)?) => {
        /// The purpose of a link that works once (docs/decisions/tokens.md).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum LinkPurpose { $($(#[$doc])* $name),* }

        impl LinkPurpose {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in the database.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $stored),* }
            }

            /// The path of its page.
            pub fn path(self) -> &'static str {
                match self { $(Self::$name => $path),* }
            }

            /// How long it works.
            pub(super) fn lifetime(self, lifetimes: &LinkLifetimes) -> Span {
                match self { $(Self::$name => lifetimes.$lifetime),* }
            }

            fn several(self) -> Several {
                match self { $(Self::$name => Several::$several),* }
            }
        }
    };
}

// The name in the database, the path, the lifetime, and what a second link does to the first one.
purposes! {
    Unlock = "unlock", "/unlock", undo_for, Replace;
    NotMe = "not-me", "/not-me", undo_for, Keep;
    ConfirmEmail = "confirm-email", "/confirm-email", verify_for, Replace;
    UndoEmail = "undo-email", "/undo-email", undo_for, Keep;
    UndoFactor = "undo-factor", "/undo-factor", undo_for, Keep;
}

/// What a newer link of the same purpose does to older ones of the user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Several {
    Replace,
    /// They refer to different events: an attacker who changes the email address twice must not be able to invalidate
    /// the link that restores the first one.
    Keep,
}

impl LinkPurpose {
    /// The purpose of the page at `path`.
    pub fn at(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|purpose| purpose.path() == path)
    }

    /// Whether a newer link replaces an older one.
    pub(super) fn is_replaced(self) -> bool {
        self.several() == Several::Replace
    }
}

/// What a link refers to, as far as its purpose needs it.
#[derive(Clone, Copy, Default)]
pub(crate) struct LinkDetails<'a> {
    pub session: Option<Handle>,
    /// The known-device cookie of the browser, as a hash.
    pub browser: Option<TokenHash>,
    pub email: Option<&'a str>,
    /// The key of that address, while the address is reserved for the account.
    pub email_key: Option<&'a str>,
    /// When the event began that the link refers to, if it began before the link was made.
    pub since: Option<OffsetDateTime>,
}

/// A link for an email.
#[derive(Clone)]
pub struct MailedLink {
    pub url: String,
    pub valid_for: Span,
}
