//! The options of a private server.

use std::path::{Path, PathBuf};

/// The oldest supported PostgreSQL: the oldest that its project still maintained when this was written.
pub const OLDEST_MAJOR: u32 = 14;

/// The options of a private server. `LocalPostgresOptions { settings: &[("fsync", "off")],
/// ..LocalPostgresOptions::new(dir) }` overrides some of them.
#[derive(Clone, Copy)]
pub struct LocalPostgresOptions<'a> {
    /// Created if missing. Contains the cluster, its log and the lock files.
    pub data_dir: &'a Path,
    /// Server settings that override the built-in ones.
    pub settings: &'a [(&'a str, &'a str)],
    /// The only directories to search for PostgreSQL's programs; `None` searches the usual ones.
    pub bin_dirs: Option<&'a [PathBuf]>,
}

impl<'a> LocalPostgresOptions<'a> {
    pub fn new(data_dir: &'a Path) -> Self {
        LocalPostgresOptions { data_dir, settings: &[], bin_dirs: None }
    }
}
