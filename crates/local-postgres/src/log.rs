//! The server's log, in its own file, so that the terminal shows only Latchkey's output.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A longer log is rotated before the server starts; the rotated log before it is overwritten.
const LONGEST_LOG: u64 = 8 * 1024 * 1024;

/// Latchkey opens it and passes the descriptor on, because the server's user may not be able to reach it.
pub fn open(log: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(log)
}

/// Returns the offset at which new lines begin.
pub fn put_away_if_long(log: &Path) -> u64 {
    let length = fs::metadata(log).map_or(0, |found| found.len());
    if length > LONGEST_LOG && fs::rename(log, log.with_extension("log.1")).is_ok() {
        return 0;
    }
    length
}

/// The last five lines after `start`.
pub fn since(log: &Path, start: u64) -> String {
    let content = fs::read(log).unwrap_or_default();
    let fresh = usize::try_from(start).ok().and_then(|start| content.get(start..)).unwrap_or_default();
    let text = String::from_utf8_lossy(fresh);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
