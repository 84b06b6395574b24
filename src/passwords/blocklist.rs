//! The list of leaked and common passwords, which is part of the binary. `bin/blocklist` builds it and names the sources.

use sha2::{Digest, Sha256};

/// Bytes of SHA-256 kept for each entry. An unlisted password is mistaken for a listed one once in 19 million.
const RECORD: usize = 5;

/// Sorted records. Truncated hashes keep the file small, and it cannot be used as a cracking dictionary.
static RECORDS: &[u8] = include_bytes!("blocklist.bin");

/// Whether `folded`, a text in NFKC and lower case, is on the list.
pub(super) fn lists(folded: &str) -> bool {
    let digest = Sha256::digest(folded.as_bytes());
    let (records, _) = RECORDS.as_chunks::<RECORD>();
    digest.first_chunk::<RECORD>().is_some_and(|key| records.binary_search(key).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_whole_and_within_its_budget() {
        let (records, rest) = RECORDS.as_chunks::<RECORD>();
        assert!(rest.is_empty());
        assert!(records.is_sorted_by(|a, b| a < b));
        assert!(records.len() > 50_000 && RECORDS.len() <= 300 * 1024);
    }

    #[test]
    fn common_passwords_are_found_and_others_are_not() {
        for listed in ["password", "dragon", "iloveyou", "correcthorsebatterystaple", "passwordpassword"] {
            assert!(lists(listed), "{listed}");
        }
        for unlisted in ["", "Password", "gravel otter lemon", "tuba"] {
            assert!(!lists(unlisted), "{unlisted}");
        }
    }
}
