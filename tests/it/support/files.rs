//! The files of the repository, for tests that read sources and documents.

use std::fs;
use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// All files below `directory`, in order.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Those of them whose name ends with `extension`.
pub fn files_with(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = files_below(directory);
    found.retain(|path| path.extension().is_some_and(|given| given == extension));
    found
}
