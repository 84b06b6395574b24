//! The report of an import: one line per refused row, and the totals.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::time::Instant;

use serde_json::json;

/// Addresses of the file that are remembered (about 40 MB), to tell a duplicate row from an existing user. Beyond the
/// limit, a duplicate is reported as an existing user, which is true by then.
const REMEMBERED: usize = 2_000_000;

/// Characters of the progress bar.
const WIDTH: usize = 30;

pub struct ImportReport {
    json: bool,
    dry: bool,
    keys: RandomState,
    /// Hashes of addresses. A collision affects only the report: the database decides who is new.
    seen: HashSet<u64>,
    pub imported: u64,
    pub without_password: u64,
    pub existing: u64,
    pub refused: u64,
}

impl ImportReport {
    pub fn new(json: bool, dry: bool) -> Self {
        Self {
            json,
            dry,
            keys: RandomState::new(),
            seen: HashSet::new(),
            imported: 0,
            without_password: 0,
            existing: 0,
            refused: 0,
        }
    }

    pub fn refuse(&mut self, line: u64, reason: &str) {
        self.refused += 1;
        self.skipped(line, "refused", reason);
    }

    /// A valid row, and whether the database inserted it (or would, in a dry run).
    pub fn record(&mut self, line: u64, key: &str, has_password: bool, new: bool) {
        let fingerprint = self.keys.hash_one(key);
        let again = if self.seen.len() < REMEMBERED {
            !self.seen.insert(fingerprint)
        } else {
            self.seen.contains(&fingerprint)
        };
        if new && !(self.dry && again) {
            self.imported += 1;
            self.without_password += u64::from(!has_password);
        } else if again {
            self.refuse(line, "the address occurs twice in the file");
        } else {
            self.existing += 1;
            // Not part of the text: after an interrupted import, a second run would print one line for each imported
            // user.
            if self.json {
                self.skipped(line, "exists", "a user with this address already exists");
            }
        }
    }

    pub fn print_totals(&self) {
        let Self { imported, without_password, existing, refused, .. } = self;
        if self.json {
            print_line(
                &json!({ "imported": imported, "without_password": without_password, "existing": existing,
                "refused": refused, "dry_run": self.dry }),
            );
            return;
        }
        let done = if self.dry { "would be imported" } else { "imported" };
        print_line(&format_args!(
            "{imported} {done} ({without_password} without a password), {existing} already exist, {refused} refused."
        ));
        if *refused > 0 && imported + existing > 0 {
            print_line(
                &"The other rows are not affected. Correct the refused rows in the file, then import it again.",
            );
        }
    }

    fn skipped(&self, line: u64, status: &str, reason: &str) {
        if self.json {
            print_line(&json!({ "line": line, "status": status, "reason": reason }));
        } else {
            print_line(&format_args!("line {line}: {reason}"));
        }
    }
}

/// Prints a line on standard output. A closed pipe does not stop the import.
fn print_line(line: &impl std::fmt::Display) {
    clear();
    let _ = writeln!(stdout(), "{line}");
}

/// A progress bar on standard error, if that is a terminal.
pub struct Progress {
    total: u64,
    begun: Instant,
    shown: bool,
}

impl Progress {
    pub fn of(total: u64) -> Self {
        Self { total: total.max(1), begun: Instant::now(), shown: stderr().is_terminal() }
    }

    pub fn at(&self, bytes: u64, rows: u64) {
        if self.shown {
            let _ =
                write!(stderr(), "\r{}", bar(bytes, self.total, rows, self.begun.elapsed().as_secs_f64()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        clear();
    }
}

/// Clears the progress bar; the next batch prints it again.
fn clear() {
    if stderr().is_terminal() {
        let _ = write!(stderr(), "\r{:79}\r", "");
    }
}

fn bar(bytes: u64, total: u64, rows: u64, seconds: f64) -> String {
    let percent = (bytes.saturating_mul(100) / total.max(1)).min(100);
    let full = WIDTH * usize::try_from(percent).unwrap_or(0) / 100;
    let speed = (rows as f64 / seconds.max(0.001)) as u64;
    format!(
        "[{}{}] {percent:>3} %  {rows} rows, {speed} a second ",
        "#".repeat(full),
        ".".repeat(WIDTH - full)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_has_one_width_and_never_overflows() {
        assert_eq!(bar(0, 100, 0, 0.0), format!("[{}]   0 %  0 rows, 0 a second ", ".".repeat(30)));
        assert!(bar(50, 100, 500, 2.0).starts_with(&format!(
            "[{}{}]  50 %  500",
            "#".repeat(15),
            ".".repeat(15)
        )));
        assert!(bar(300, 100, u64::MAX, 1.0).starts_with(&format!("[{}] 100 %", "#".repeat(30))));
        assert!(bar(u64::MAX, 1, 1, 1.0).contains("100 %"));
    }

    #[test]
    fn a_second_row_with_one_address_is_a_duplicate_also_in_a_dry_run() {
        let mut real = ImportReport::new(true, false);
        real.record(1, "ada", true, true);
        real.record(2, "ada", true, false);
        real.record(3, "eve", false, false);
        assert_eq!((real.imported, real.existing, real.refused), (1, 1, 1));
        let mut dry = ImportReport::new(true, true);
        dry.record(1, "ada", false, true);
        dry.record(2, "ada", true, true);
        assert_eq!((dry.imported, dry.without_password, dry.refused), (1, 1, 1));
    }
}
