//! The server's log: its own file, so that the terminal stays Latchkey's. Used by `local` only.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A longer log is put away before the server starts, in place of the one put away before.
const LONGEST_LOG: u64 = 8 * 1024 * 1024;

/// Opened by Latchkey and handed down: the server's user need not be able to reach it.
pub fn open(log: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(log)
}

/// Returns where the coming lines will begin.
pub fn put_away_if_long(log: &Path) -> u64 {
    let length = fs::metadata(log).map_or(0, |found| found.len());
    if length > LONGEST_LOG && fs::rename(log, log.with_extension("log.1")).is_ok() {
        return 0;
    }
    length
}

/// The last few lines from `start` on.
pub fn since(log: &Path, start: u64) -> String {
    let content = fs::read(log).unwrap_or_default();
    let fresh = usize::try_from(start).ok().and_then(|start| content.get(start..)).unwrap_or_default();
    let text = String::from_utf8_lossy(fresh);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
