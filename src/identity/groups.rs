//! The groups of one user, as they are cached with each session.

use std::ops::Deref;
use std::sync::Arc;

use crate::identity::group_name::GroupName;

/// The groups of a user, sorted. One pointer, and no allocation for a user without groups: sessions are cached by the
/// hundred thousand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserGroups(Option<Arc<Box<[GroupName]>>>);

impl FromIterator<GroupName> for UserGroups {
    fn from_iter<I: IntoIterator<Item = GroupName>>(names: I) -> Self {
        let mut names: Vec<GroupName> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        Self((!names.is_empty()).then(|| Arc::new(names.into_boxed_slice())))
    }
}

impl Deref for UserGroups {
    type Target = [GroupName];

    fn deref(&self) -> &[GroupName] {
        self.0.as_ref().map_or(&[], |names| names)
    }
}
