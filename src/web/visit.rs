//! Who is visiting: what was loaded for this request, for guards and pages to judge by.

use crate::identity::{LiveUser, User};
use crate::sessions::{Handle, request};

/// The live session of this request, if it has one. Known from when the cookie was looked at to the end of the
/// request.
pub fn live() -> Option<LiveUser> {
    request::loaded::<User>()
}

pub fn handle() -> Option<Handle> {
    live().map(|live| live.record.handle)
}
