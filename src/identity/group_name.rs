//! The name of a group of users.

use std::fmt;

use smol_str::SmolStr;

/// Longest name in bytes. The identity header lists all groups of a user, so names are short.
const LONGEST: usize = 64;

/// The name of a group: `[a-z0-9._-]{1,64}` with a letter or digit, so that apps can compare it byte by byte and no list of
/// names is ambiguous.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(SmolStr);

/// The text is not the name of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidGroupName;

impl GroupName {
    pub fn parse(text: &str) -> Result<Self, InvalidGroupName> {
        let is_allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        // In a URL, `.` and `..` are other paths.
        let is_named = text.bytes().any(|byte| byte.is_ascii_alphanumeric());
        match text.len() <= LONGEST && is_named && text.bytes().all(is_allowed) {
            true => Ok(Self(text.into())),
            false => Err(InvalidGroupName),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_name_is_short_and_has_one_spelling() {
        for good in ["staff", "wiki-admins", "a.b_c-9", "0", "..a", &"x".repeat(64)] {
            assert_eq!(GroupName::parse(good).map(|name| name.to_string()).as_deref(), Ok(good));
        }
        for bad in
            ["", ".", "..", "._-", "Staff", "wiki admins", "a,b", "a/b", "ä", "a\0", "a%2c", &"x".repeat(65)]
        {
            assert_eq!(GroupName::parse(bad), Err(InvalidGroupName), "{bad:?}");
        }
    }
}
