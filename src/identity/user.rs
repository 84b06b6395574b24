//! A user as every request knows them.

use std::fmt;

use diesel::pg::PgConnection;
use smol_str::SmolStr;
use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

use crate::db::Fault;
use crate::identity::queries;
use crate::unicode::names;
use latchkey_sessions::{KeyHash, LiveSession, Owner, Principal};

/// Longest name, in code points: two lines on a phone.
const NAME_MAX: usize = 80;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserId(pub Uuid);

impl UserId {
    /// The same person as the sessions know them.
    pub fn principal(self) -> Principal {
        Principal(self.0)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a user may do. Ordered: an admin may do all a member may.
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

/// A person's name as they want to be greeted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoName {
    Empty,
    TooLong,
    Unprintable,
    /// It has a link or an address in it, which mail programs and pages would turn into one.
    Link,
}

impl fmt::Display for NoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Enter a name. Any name you like to be greeted by."),
            Self::TooLong => write!(f, "Use a shorter name: at most {NAME_MAX} characters."),
            Self::Link => f.write_str(
                "Use a name without “://”, “www.” or “@”: it may not look like a link or an address.",
            ),
            Self::Unprintable => {
                f.write_str("Use letters, digits and signs only: the name has characters that do not print.")
            }
        }
    }
}

impl Name {
    pub fn parse(raw: &str) -> Result<Self, NoName> {
        let text: String = raw.trim().nfc().collect();
        if text.is_empty() {
            return Err(NoName::Empty);
        }
        if text.chars().count() > NAME_MAX {
            return Err(NoName::TooLong);
        }
        if !names::is_readable(&text) {
            return Err(NoName::Unprintable);
        }
        if looks_like_a_link(&text) {
            return Err(NoName::Link);
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `name` reads as a link or an address, in any width and case (Unicode's NFKC).
fn looks_like_a_link(name: &str) -> bool {
    let plain: String = name.nfkc().flat_map(char::to_lowercase).collect();
    ["://", "www.", "@"].iter().any(|mark| plain.contains(mark))
}

/// The owner of a session, read with it: a change of role or name shows on the next request.
#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub name: SmolStr,
    pub role: Role,
}

/// Somebody letters are written to. Read when one is: a session that is kept in memory goes without the address.
pub(crate) struct Addressee {
    pub id: UserId,
    pub name: String,
    pub email: String,
}

/// A session with the user who owns it.
pub type LiveUser = LiveSession<User>;

impl Owner for User {
    fn load(conn: &mut PgConnection, keys: &[KeyHash]) -> Result<Vec<LiveSession<Self>>, Fault> {
        queries::live_users(conn, keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(Name::parse("  Ada Lovelace ").unwrap().as_str(), "Ada Lovelace");
        assert_eq!(Name::parse(" \t "), Err(NoName::Empty));
        assert_eq!(Name::parse(&"x".repeat(81)), Err(NoName::TooLong));
        assert_eq!(Name::parse("ada\u{202e}nimda"), Err(NoName::Unprintable));
        assert_eq!(Name::parse("a\0b"), Err(NoName::Unprintable));
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
            assert_eq!(Name::parse(name), Err(NoName::Link), "{name}");
        }
        for name in ["Ada: Lovelace", "A/B", "Ewwwan", "J. R. R. Tolkien", "St. John", "Ada & Co.", "C://"] {
            assert_eq!(Name::parse(name).is_ok(), name != "C://", "{name}");
        }
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
