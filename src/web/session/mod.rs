//! Who makes a request: the session behind its cookie, and the guards that decide by it.

pub(super) mod current;
pub(super) mod current_session;
pub mod guard;
pub(super) mod known_device;
pub(super) mod receive;
pub(super) mod with_session;
