//! The name, email address and groups of a user, cached with each session in little memory.

use smol_str::SmolStr;

use crate::identity::group_name::GroupName;

/// Most bytes of name and email address that need no allocation: enough for most users.
const INLINE: usize = 69;

/// Name, address and groups of a user. Sessions are cached by the hundred thousand, so a user without groups whose name
/// and address are short costs no allocation, and both texts together take 72 bytes.
#[derive(Clone)]
pub struct SessionProfile(Form);

#[derive(Clone)]
enum Form {
    Short {
        name: u8,
        email: u8,
        /// The name, then the address.
        bytes: [u8; INLINE],
    },
    Long(Box<LongProfile>),
}

#[derive(Clone)]
struct LongProfile {
    name: SmolStr,
    email: SmolStr,
    groups: Box<[GroupName]>,
}

impl SessionProfile {
    pub(super) fn new(name: &str, email: &str, mut groups: Vec<GroupName>) -> Self {
        let (end, all) = (name.len(), name.len() + email.len());
        if groups.is_empty() && all <= INLINE {
            let mut bytes = [0; INLINE];
            bytes[..end].copy_from_slice(name.as_bytes());
            bytes[end..all].copy_from_slice(email.as_bytes());
            // Both are at most 69.
            return Self(Form::Short { name: end as u8, email: email.len() as u8, bytes });
        }
        groups.sort_unstable();
        groups.dedup();
        let groups = groups.into_boxed_slice();
        Self(Form::Long(Box::new(LongProfile { name: name.into(), email: email.into(), groups })))
    }

    pub(super) fn name(&self) -> &str {
        match &self.0 {
            Form::Short { name, bytes, .. } => text(&bytes[..usize::from(*name)]),
            Form::Long(long) => &long.name,
        }
    }

    pub(super) fn email(&self) -> &str {
        match &self.0 {
            Form::Short { name, email, bytes } => {
                let begin = usize::from(*name);
                text(&bytes[begin..begin + usize::from(*email)])
            }
            Form::Long(long) => &long.email,
        }
    }

    /// Sorted.
    pub(super) fn groups(&self) -> &[GroupName] {
        match &self.0 {
            Form::Short { .. } => &[],
            Form::Long(long) => &long.groups,
        }
    }
}

/// The bytes came from a string, so this never fails.
fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_returns_what_it_was_made_of() {
        let groups = ["b", "a", "b"].map(|name| GroupName::parse(name).unwrap());
        for groups in [Vec::new(), groups.to_vec()] {
            for (name, email) in [
                ("", ""),
                ("Ada Lovelace", "ada@example.org"),
                ("Čeněk", "č@bücher.example"),
                ("x", &"y".repeat(68)),
                ("x", &"y".repeat(69)),
                (&"ü".repeat(80), &"y".repeat(254)),
            ] {
                let profile = SessionProfile::new(name, email, groups.clone());
                assert_eq!((profile.name(), profile.email()), (name, email));
                assert_eq!(profile.groups().len(), if groups.is_empty() { 0 } else { 2 });
                assert!(profile.groups().is_sorted());
            }
        }
    }

    #[test]
    fn a_profile_has_the_size_that_the_footprint_of_a_session_allows() {
        assert_eq!(size_of::<SessionProfile>(), 72);
    }
}
