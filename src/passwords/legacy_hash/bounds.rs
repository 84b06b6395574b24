//! The cost that a legacy hash may have: about half a second of one core.
//!
//! Measured on a 2-core Xeon with `bin/bench hash`, where one of Latchkey's takes 20 to 35 ms: bcrypt of cost 12 0.3 s,
//! 1.5 million iterations of PBKDF2-SHA256 0.35 s, 600,000 of PBKDF2-SHA512 0.45 s, Argon2 over 256 MiB 0.3 to 0.4 s,
//! scrypt over 128 MiB 0.5 s. Lower bounds would refuse the hashes that Laravel, Devise and Django make today and that
//! OWASP recommends. The bounds alone do not keep other log-ins fast; the separate permits of the hasher do.

use super::derive;
use super::model::{CostBound, Digest, LegacyHash, LegacyHashError, Scheme};

/// Bytes of salt, which Django writes as text.
const MAX_SALT: usize = 128;
/// Bytes of the shortest hash: a shorter one could match by chance.
const MIN_OUTPUT: usize = 16;
/// Bytes of the longest hash, which is Django's scrypt.
const MAX_OUTPUT: usize = 64;
/// Bytes of the longest PBKDF2 output; see [`LegacyHash::bounded`].
const MAX_PBKDF2_OUTPUT: usize = 256;

/// Memory, and memory times passes, in KiB. Django uses 200 MiB (100 MiB in two passes), PHP 256 MiB (64 MiB in four).
pub(super) const MAX_MEMORY_KIB: u64 = 256 * 1024;
pub(super) const MAX_ARGON2_KIB: u64 = 256 * 1024;
/// Memory times `p`, in KiB. OWASP and Go use N = 2^17, r = 8, p = 1. scrypt takes longer per byte than Argon2.
pub(super) const MAX_SCRYPT_KIB: u64 = 128 * 1024;
/// Lanes of Argon2, `p` of scrypt.
const MAX_LANES: u32 = 64;
/// PHP, Laravel and Devise use 10 to 12. Each step doubles the time.
pub(super) const MAX_BCRYPT_COST: u32 = 12;
/// Django 6.0 uses 1.2 million. Processors have instructions for SHA-256.
const MAX_SHA256_ITERATIONS: u32 = 1_500_000;
/// Django 5.2 uses 1 million with SHA-1 as well, and each takes three times as long: 0.7 s, the longest of all.
const MAX_SHA1_ITERATIONS: u32 = 1_000_000;
/// Keycloak and OWASP use 210,000. An iteration takes three times as long as one with SHA-256.
const MAX_SHA512_ITERATIONS: u32 = 600_000;

pub(super) const ARGON2: CostBound = CostBound::Argon2 { mib: MAX_ARGON2_KIB / 1024, lanes: MAX_LANES };
pub(super) const BCRYPT: CostBound = CostBound::Bcrypt { cost: MAX_BCRYPT_COST };
pub(super) const SCRYPT: CostBound = CostBound::Scrypt { mib: MAX_SCRYPT_KIB / 1024, p: MAX_LANES };

impl Digest {
    pub(super) fn size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    pub(super) fn max_iterations(self) -> u32 {
        match self {
            Self::Sha256 => MAX_SHA256_ITERATIONS,
            Self::Sha1 => MAX_SHA1_ITERATIONS,
            Self::Sha512 => MAX_SHA512_ITERATIONS,
        }
    }
}

impl LegacyHash {
    /// Refuses a hash that is malformed or exceeds a bound.
    ///
    /// A PBKDF2 output longer than its digest consists of blocks that each take the full cost, and the first block does not
    /// depend on the length (RFC 8018 section 5.2). Of a longer output, such as the 64 bytes of Keycloak with SHA-256, only
    /// the first block is kept and compared.
    pub(super) fn bounded(mut self) -> Result<Self, LegacyHashError> {
        let output = match self.scheme {
            Scheme::Bcrypt { .. } => derive::BCRYPT_OUTPUT..=derive::BCRYPT_OUTPUT,
            Scheme::Pbkdf2 { .. } => MIN_OUTPUT..=MAX_PBKDF2_OUTPUT,
            _ => MIN_OUTPUT..=MAX_OUTPUT,
        };
        if self.salt.is_empty() || self.salt.len() > MAX_SALT || !output.contains(&self.expected.len()) {
            return Err(LegacyHashError::Broken);
        }
        if let Scheme::Pbkdf2 { digest, .. } = self.scheme {
            self.expected.truncate(digest.size());
        }
        match self.exceeded()? {
            None => Ok(self),
            Some(bound) => Err(LegacyHashError::TooCostly(bound)),
        }
    }

    fn exceeded(&self) -> Result<Option<CostBound>, LegacyHashError> {
        let (is_sound, is_bearable, bound) = match self.scheme {
            Scheme::Argon2 { memory_kib, iterations, lanes, .. } => {
                let (memory, passes) = (u64::from(memory_kib), u64::from(iterations));
                (
                    lanes > 0 && passes > 0 && memory >= u64::from(lanes) * 8 && self.salt.len() >= 8,
                    lanes <= MAX_LANES && memory <= MAX_MEMORY_KIB && memory * passes <= MAX_ARGON2_KIB,
                    ARGON2,
                )
            }
            Scheme::Bcrypt { cost, .. } => (cost >= 4, cost <= MAX_BCRYPT_COST, BCRYPT),
            Scheme::Scrypt { log_n, r, p } => {
                let memory = self.memory_kib();
                (
                    log_n > 0 && r > 0 && p > 0,
                    p <= MAX_LANES
                        && log_n <= 24
                        && r <= 1024
                        && memory <= MAX_MEMORY_KIB
                        && memory * u64::from(p) <= MAX_SCRYPT_KIB,
                    SCRYPT,
                )
            }
            Scheme::Pbkdf2 { digest, iterations } => {
                let most = digest.max_iterations();
                (iterations > 0, iterations <= most, CostBound::Pbkdf2 { iterations: most })
            }
        };
        match (is_sound, is_bearable) {
            (false, _) => Err(LegacyHashError::Broken),
            (true, true) => Ok(None),
            (true, false) => Ok(Some(bound)),
        }
    }
}
