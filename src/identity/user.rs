//! The user as cached with a session.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

use crate::identity::group_name::GroupName;
use crate::identity::session_profile::SessionProfile;
use crate::unicode::names;
use latchkey_sessions::{CachedSession, LiveSession, Principal};

/// Longest name in code points: two lines on a phone.
const NAME_MAX: usize = 80;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserId(pub Uuid);

impl UserId {
    /// The owner of the user's sessions.
    pub fn principal(self) -> Principal {
        Principal(self.0)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The permission level of a user. Ordered: an administrator may do everything that a member may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Member,
    Admin,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "member" => Some(Self::Member),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// The name by which a user wants to be greeted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidName {
    Empty,
    TooLong {
        /// Characters it may have.
        max: usize,
    },
    Unprintable,
    /// It contains a link or an address, which mail programs would make clickable.
    Link,
}

impl Name {
    pub fn parse(raw: &str) -> Result<Self, InvalidName> {
        let text: String = raw.trim().nfc().collect();
        if text.is_empty() {
            return Err(InvalidName::Empty);
        }
        if text.chars().count() > NAME_MAX {
            return Err(InvalidName::TooLong { max: NAME_MAX });
        }
        if !names::is_readable(&text) {
            return Err(InvalidName::Unprintable);
        }
        if looks_like_a_link(&text) {
            return Err(InvalidName::Link);
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `name` looks like a link or an address, in any width (Unicode's NFKC) and case.
fn looks_like_a_link(name: &str) -> bool {
    let plain: String = name.nfkc().flat_map(char::to_lowercase).collect();
    ["://", "www.", "@"].iter().any(|mark| plain.contains(mark))
}

/// The owner of a session, read with it: a change of role, name, address, groups or factors takes effect on the next
/// request.
#[derive(Clone)]
pub struct User {
    pub role: Role,
    pub factors: EnrolledFactors,
    profile: SessionProfile,
}

impl User {
    pub(crate) fn new(
        role: Role,
        factors: EnrolledFactors,
        name: &str,
        email: &str,
        groups: Vec<GroupName>,
    ) -> Self {
        Self { role, factors, profile: SessionProfile::new(name, email, groups) }
    }

    pub fn name(&self) -> &str {
        self.profile.name()
    }

    pub fn email(&self) -> &str {
        self.profile.email()
    }

    /// Sorted.
    pub fn groups(&self) -> &[GroupName] {
        self.profile.groups()
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("role", &self.role).finish_non_exhaustive()
    }
}

/// What a user can log in with besides the password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnrolledFactors {
    /// An authenticator app, confirmed.
    pub totp: bool,
    pub passkey: bool,
}

/// A user as an email recipient.
pub(crate) struct Recipient {
    pub id: UserId,
    pub name: String,
    pub email: String,
}

/// A session with the user who owns it.
pub type LiveUser = LiveSession<User>;

/// A session that belongs to a user. The user's id is the session's principal, so [`User`] does not hold it again.
pub trait UserSession {
    fn user_id(&self) -> UserId;
}

impl UserSession for CachedSession<User> {
    fn user_id(&self) -> UserId {
        UserId(self.record.principal.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(Name::parse("  Ada Lovelace ").unwrap().as_str(), "Ada Lovelace");
        assert_eq!(Name::parse(" \t "), Err(InvalidName::Empty));
        assert_eq!(Name::parse(&"x".repeat(81)), Err(InvalidName::TooLong { max: 80 }));
        assert_eq!(Name::parse("ada\u{202e}nimda"), Err(InvalidName::Unprintable));
        assert_eq!(Name::parse("a\0b"), Err(InvalidName::Unprintable));
    }

    #[test]
    fn names_that_read_as_a_link_or_an_address_are_refused() {
        for name in [
            "Locked! Unlock at https://evil.example",
            "WWW.evil.example",
            "ada@example.org",
            "ada＠example.org",
            "HTTP：／／evil",
            "ｗｗｗ．evil.example",
        ] {
            assert_eq!(Name::parse(name), Err(InvalidName::Link), "{name}");
        }
        for name in ["Ada: Lovelace", "A/B", "Ewwwan", "J. R. R. Tolkien", "St. John", "Ada & Co.", "C://"] {
            assert_eq!(Name::parse(name).is_ok(), name != "C://", "{name}");
        }
    }

    #[test]
    fn a_user_takes_little_memory_in_each_cached_session() {
        // With its counters, a session then takes 264 bytes, the most that fit into a block of 272.
        assert_eq!(size_of::<CachedSession<User>>(), 248);
    }

    #[test]
    fn roles_are_ordered_and_read_as_they_are_written() {
        assert!(Role::Member < Role::Admin);
        for role in [Role::Member, Role::Admin] {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("root"), None);
    }
}
