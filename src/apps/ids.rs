//! How an app is named: by its id in the database, by its slug in URLs and commands.

use std::fmt;

use smol_str::SmolStr;
use uuid::Uuid;

/// The id of an app. It is also the scope of the app's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AppId(pub Uuid);

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A slug is a label of a domain name, because the app's local origin is `http://<slug>.localhost`: `[a-z0-9-]{1,63}`,
/// without a hyphen at either end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(SmolStr);

/// The text is not a slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSlug;

impl Slug {
    pub fn parse(text: &str) -> Result<Self, InvalidSlug> {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_slug = (1..=63).contains(&text.len())
            && text.bytes().all(is_allowed)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if is_slug { Ok(Self(text.into())) } else { Err(InvalidSlug) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_a_label_of_a_domain_name() {
        for good in ["wiki", "a", "9", "team-wiki-2", &"x".repeat(63)] {
            assert_eq!(Slug::parse(good).map(|slug| slug.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", "Wiki", "-wiki", "wiki-", "a.b", "a_b", "a/b", "ü", " wiki", &"x".repeat(64)] {
            assert_eq!(Slug::parse(bad), Err(InvalidSlug), "{bad:?}");
        }
    }
}
