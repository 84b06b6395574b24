//! The bundled list of leaked and common passwords, as data inside the binary.
//! Rebuilt by `bin/blocklist`, which names the sources; asked by `weakness` and nobody else.

use sha2::{Digest, Sha256};

/// Bytes of SHA-256 kept for each entry: an unlisted password is taken for a listed one once in
/// 19 million.
const RECORD: usize = 5;

/// Sorted records, nothing else. Only truncated hashes are shipped, so the file is small and
/// neither the repository nor the binary reads like a cracking dictionary.
static RECORDS: &[u8] = include_bytes!("blocklist.bin");

/// Whether this text, already in NFKC and lower case, is listed as it stands.
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
