//! The tables of apps.

mod read;
mod rows;

pub(super) use read::all_apps;
