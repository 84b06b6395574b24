//! Mailed links as data: their purposes, what they refer to, and how long they work.

use time::OffsetDateTime;

use crate::config::{LinkLifetimes, Span};
use crate::secret::TokenHash;
use latchkey_sessions::Handle;

/// The purpose of a link that works once (docs/decisions/tokens.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    Unlock,
    NotMe,
    ConfirmEmail,
    UndoEmail,
    UndoFactor,
}

impl LinkPurpose {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unlock => "unlock",
            Self::NotMe => "not-me",
            Self::ConfirmEmail => "confirm-email",
            Self::UndoEmail => "undo-email",
            Self::UndoFactor => "undo-factor",
        }
    }

    /// The path of its page.
    pub fn path(self) -> &'static str {
        match self {
            Self::Unlock => "/unlock",
            Self::NotMe => "/not-me",
            Self::ConfirmEmail => "/confirm-email",
            Self::UndoEmail => "/undo-email",
            Self::UndoFactor => "/undo-factor",
        }
    }

    /// How long it works.
    pub(super) fn lifetime(self, lifetimes: &LinkLifetimes) -> Span {
        match self {
            Self::ConfirmEmail => lifetimes.verify_for,
            Self::Unlock | Self::NotMe | Self::UndoEmail | Self::UndoFactor => lifetimes.undo_for,
        }
    }

    /// Whether a newer link replaces an older one. The others refer to different events: an attacker who changes the
    /// email address twice must not take away the link that restores the first one.
    pub(super) fn is_replaced(self) -> bool {
        matches!(self, Self::Unlock | Self::ConfirmEmail)
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
