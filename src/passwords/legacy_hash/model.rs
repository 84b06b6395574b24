//! A legacy hash, and why one cannot be imported, as data.

use argon2::{Algorithm, Version};

/// A hash of other software, parsed: scheme, salt and the expected output.
pub(crate) struct LegacyHash {
    pub(super) scheme: Scheme,
    pub(super) salt: Vec<u8>,
    pub(super) expected: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Argon2 {
        algorithm: Algorithm,
        version: Version,
        memory_kib: u32,
        iterations: u32,
        lanes: u32,
    },
    /// `sha256`: Django's variant, which hashes the hexadecimal SHA-256, so that nothing is cut off at 72 bytes.
    Bcrypt {
        cost: u32,
        sha256: bool,
    },
    Scrypt {
        log_n: u8,
        r: u32,
        p: u32,
    },
    Pbkdf2 {
        digest: Digest,
        iterations: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

/// Why a hash cannot be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyHashError {
    /// The format is not supported.
    Unknown,
    /// The format is supported, but the text is malformed.
    Broken,
    /// The hash needs more work or memory than a log-in may take.
    TooCostly(CostBound),
}

/// The bound on work and memory that a hash exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostBound {
    /// MiB of memory times passes.
    Argon2 {
        mib: u64,
        lanes: u32,
    },
    Bcrypt {
        cost: u32,
    },
    /// MiB of memory times `p`.
    Scrypt {
        mib: u64,
        p: u32,
    },
    /// Iterations with the digest of the hash.
    Pbkdf2 {
        iterations: u32,
    },
}
