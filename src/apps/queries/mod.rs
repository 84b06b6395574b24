//! The tables of apps.

pub(in crate::apps) mod entries;
mod read;
mod rows;

pub(super) use read::all_apps;
