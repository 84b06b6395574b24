//! What to start.

use std::path::{Path, PathBuf};

/// The oldest PostgreSQL whose own project still looked after it when this was written.
pub const OLDEST_MAJOR: u32 = 14;

/// What to start. `LocalPostgresOptions { settings: &[("fsync", "off")], ..LocalPostgresOptions::new(dir) }` changes a part.
#[derive(Clone, Copy)]
pub struct LocalPostgresOptions<'a> {
    /// Created when missing; the cluster, its log and the lock files live here.
    pub data_dir: &'a Path,
    /// Server settings that override the built-in ones.
    pub settings: &'a [(&'a str, &'a str)],
    /// The only directories to look for PostgreSQL's programs in; `None` is all the usual places.
    pub bin_dirs: Option<&'a [PathBuf]>,
}

impl<'a> LocalPostgresOptions<'a> {
    pub fn new(data_dir: &'a Path) -> Self {
        LocalPostgresOptions { data_dir, settings: &[], bin_dirs: None }
    }
}
