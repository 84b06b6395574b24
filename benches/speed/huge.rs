//! Huge pages for a database server with much memory, as PostgreSQL's manual advises (19.4.5): without them, finding
//! a page of its memory costs as much as reading it. Reserved where the machine lets us, and given back.

use std::fs;

/// How many there are, of [`MEGABYTES`] each.
const POOL: &str = "/proc/sys/vm/nr_hugepages";
const MEGABYTES: u64 = 2;

/// What a server needs beside its buffers, in percent of them.
const MORE: u64 = 8;

/// The pages that were there before, which are all that stay after this value.
pub struct HugePages {
    before: u64,
}

impl HugePages {
    /// Room for `buffers` megabytes; `None` where nobody may, or where memory is too scattered for it.
    pub fn reserve(buffers: u64) -> Option<Self> {
        let before = count()?;
        let wanted = before + buffers * (100 + MORE) / 100 / MEGABYTES;
        fs::write(POOL, wanted.to_string()).ok()?;
        let reserved = Self { before };
        (count()? >= wanted).then_some(reserved)
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        let _ = fs::write(POOL, self.before.to_string());
    }
}

fn count() -> Option<u64> {
    fs::read_to_string(POOL).ok()?.trim().parse().ok()
}
