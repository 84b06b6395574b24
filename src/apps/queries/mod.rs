//! The tables of apps.

pub(in crate::apps) mod handoffs;
mod read;
mod rows;
mod write;

pub(super) use read::stored_apps;
pub(super) use write::{
    addresses, delete_app, delete_lost_origins, existing_groups, existing_users, insert_app, insert_groups,
    lock_apps, update_app,
};
