//! The identity of the user of a session or token, as the app receives it.

use crate::identity::User;
use crate::web::proxy::Identity;
use crate::web::streams::LiveCredential;

/// The texts of an [`Identity`].
pub struct UserIdentity<'u> {
    id: String,
    user: &'u User,
    groups: Vec<&'u str>,
}

impl<'u> UserIdentity<'u> {
    pub fn of(found: &'u LiveCredential) -> Self {
        let user = found.user();
        let groups = user.groups().iter().map(|group| group.as_str()).collect();
        Self { id: found.user_id().to_string(), user, groups }
    }

    pub fn identity(&self) -> Identity<'_> {
        Identity { id: &self.id, email: self.user.email(), name: self.user.name(), groups: &self.groups }
    }
}
