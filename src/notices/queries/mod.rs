//! All SQL of this room.

mod links;
mod resets;

pub(crate) use links::{LinkRow, delete_links, insert_link, live_link, pending_email, consume_link};
pub(crate) use resets::{delete_user_tokens, replace_decoy, replace_reset, reset_owner, consume_reset};

pub use links::PendingEmail;
