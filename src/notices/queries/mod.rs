//! All SQL of this room.

mod links;
mod resets;

pub(crate) use links::{LinkRow, consume_link, delete_links, insert_link, live_link, pending_email};
pub(crate) use resets::{consume_reset, delete_user_tokens, replace_decoy, replace_reset, reset_owner};

pub use links::PendingEmail;
