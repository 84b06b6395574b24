//! Who sent a request: the session of its cookie, the guards that decide by it, and how a form is received.

pub(super) mod arguments;
pub(super) mod carried_form;
pub(super) mod current_session;
pub(super) mod form_session;
pub mod guard;
pub(super) mod known_device;
pub(super) mod receive;
pub(super) mod with_session;
