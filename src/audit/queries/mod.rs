//! All SQL of this room.

mod events;
mod hash_chain;

pub(crate) use events::{events, insert_event, linked_events};
pub(crate) use hash_chain::{
    ChainLink, LinkedEvent, chain_at, chain_head, chain_start, erased_users, linked_after, links_after,
};
