//! Password hashes that other software made. Their cost is bounded, so that no imported row can take minutes or
//! gigabytes. A hash is parsed at the import and at each verification.

mod bounds;
mod derive;
mod encoding;
mod model;

use argon2::{Algorithm, Version};

pub(crate) use model::LegacyHash;
pub use model::{CostBound, LegacyHashError};
use model::{Digest, Scheme};

/// Bytes of the longest text; no supported format needs more.
const MAX_TEXT: usize = 512;

impl LegacyHash {
    /// Parses a hash in the format of Django, of Devise and Laravel (bcrypt), or in the PHC string format.
    pub fn read(text: &str) -> Result<Self, LegacyHashError> {
        if text.len() > MAX_TEXT {
            return Err(LegacyHashError::Unknown);
        }
        let read = match text.split_once('$').ok_or(LegacyHashError::Unknown)? {
            ("", phc) => Self::phc(text, phc)?,
            ("argon2", phc) => argon2(phc)?,
            ("bcrypt", hash) => bcrypt(hash, false)?,
            ("bcrypt_sha256", hash) => bcrypt(hash, true)?,
            ("scrypt", rest) => django_scrypt(rest)?,
            ("pbkdf2_sha256", rest) => django_pbkdf2(Digest::Sha256, rest)?,
            ("pbkdf2_sha1", rest) => django_pbkdf2(Digest::Sha1, rest)?,
            _ => return Err(LegacyHashError::Unknown),
        };
        read.bounded()
    }

    fn phc(text: &str, phc: &str) -> Result<Self, LegacyHashError> {
        match phc.split('$').next().unwrap_or_default() {
            "argon2i" | "argon2d" | "argon2id" => argon2(phc),
            "2a" | "2b" | "2y" => bcrypt(text, false),
            "scrypt" => phc_scrypt(phc),
            // passlib does not name SHA-1, PBKDF2's first digest.
            "pbkdf2" | "pbkdf2-sha1" => phc_pbkdf2(Digest::Sha1, phc),
            "pbkdf2-sha256" => phc_pbkdf2(Digest::Sha256, phc),
            "pbkdf2-sha512" => phc_pbkdf2(Digest::Sha512, phc),
            _ => Err(LegacyHashError::Unknown),
        }
    }

    /// The text to store. Latchkey hashes passwords in NFC, other software as typed, so an imported Argon2 hash gets a
    /// prefix that tells it from one of Latchkey's.
    pub fn stored_form(&self, text: &str) -> String {
        match self.scheme {
            Scheme::Argon2 { .. } if text.starts_with('$') => format!("argon2{text}"),
            _ => text.to_owned(),
        }
    }

    /// The memory of the computation, in KiB.
    pub fn memory_kib(&self) -> u64 {
        match self.scheme {
            Scheme::Argon2 { memory_kib, .. } => u64::from(memory_kib),
            // 128 · N · r bytes. The exponent is capped, so nothing overflows.
            Scheme::Scrypt { log_n, r, .. } => (u64::from(r) << log_n.min(30)) / 8,
            Scheme::Bcrypt { .. } | Scheme::Pbkdf2 { .. } => 0,
        }
    }
}

/// `argon2id$v=19$m=102400,t=2,p=8$salt$hash`; without `v`, it is version 1.0.
fn argon2(phc: &str) -> Result<LegacyHash, LegacyHashError> {
    let mut parts: Vec<&str> = phc.split('$').collect();
    let version = match parts.get(1) {
        Some(&"v=19") => Version::V0x13,
        Some(&"v=16") => Version::V0x10,
        Some(other) if other.starts_with("m=") => {
            parts.insert(1, "");
            Version::V0x10
        }
        _ => return Err(LegacyHashError::Broken),
    };
    let [name, _, parameters, salt, hash] = parts[..] else { return Err(LegacyHashError::Broken) };
    let algorithm = match name {
        "argon2i" => Algorithm::Argon2i,
        "argon2d" => Algorithm::Argon2d,
        "argon2id" => Algorithm::Argon2id,
        _ => return Err(LegacyHashError::Unknown),
    };
    let [memory_kib, iterations, lanes] = named(parameters, ["m", "t", "p"])?;
    let scheme = Scheme::Argon2 { algorithm, version, memory_kib, iterations, lanes };
    Ok(LegacyHash { scheme, salt: encoding::base64(salt)?, expected: encoding::base64(hash)? })
}

/// `$2b$12$` and 53 characters: 22 of salt, 31 of hash. The three prefixes name one algorithm; `$2x$` marks hashes of a
/// buggy implementation.
fn bcrypt(hash: &str, sha256: bool) -> Result<LegacyHash, LegacyHashError> {
    let parts: Vec<&str> = hash.split('$').collect();
    let ["", "2a" | "2b" | "2y", cost, text] = parts[..] else { return Err(LegacyHashError::Broken) };
    let (salt, expected) =
        text.split_at_checked(22).filter(|(_, hash)| hash.len() == 31).ok_or(LegacyHashError::Broken)?;
    if cost.len() != 2 {
        return Err(LegacyHashError::Broken);
    }
    let scheme = Scheme::Bcrypt { cost: number(cost)?, sha256 };
    Ok(LegacyHash { scheme, salt: encoding::bcrypt(salt)?, expected: encoding::bcrypt(expected)? })
}

/// `scrypt$ln=17,r=8,p=1$salt$hash`.
fn phc_scrypt(phc: &str) -> Result<LegacyHash, LegacyHashError> {
    let parts: Vec<&str> = phc.split('$').collect();
    let [_, parameters, salt, hash] = parts[..] else { return Err(LegacyHashError::Broken) };
    let [log_n, r, p] = named(parameters, ["ln", "r", "p"])?;
    let log_n = u8::try_from(log_n).map_err(|_| LegacyHashError::TooCostly(bounds::SCRYPT))?;
    let scheme = Scheme::Scrypt { log_n, r, p };
    Ok(LegacyHash { scheme, salt: encoding::base64(salt)?, expected: encoding::base64(hash)? })
}

/// `16384$salt$8$5$hash`; the salt is plain text.
fn django_scrypt(rest: &str) -> Result<LegacyHash, LegacyHashError> {
    let parts: Vec<&str> = rest.split('$').collect();
    let [n, salt, r, p, hash] = parts[..] else { return Err(LegacyHashError::Broken) };
    let n = number(n)?;
    if !n.is_power_of_two() {
        return Err(LegacyHashError::Broken);
    }
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| LegacyHashError::Broken)?;
    let scheme = Scheme::Scrypt { log_n, r: number(r)?, p: number(p)? };
    Ok(LegacyHash { scheme, salt: salt.into(), expected: encoding::base64(hash)? })
}

/// `pbkdf2-sha256$i=600000,l=32$salt$hash`, or only the number of iterations, as passlib writes it.
fn phc_pbkdf2(digest: Digest, phc: &str) -> Result<LegacyHash, LegacyHashError> {
    let parts: Vec<&str> = phc.split('$').collect();
    let [_, parameters, salt, hash] = parts[..] else { return Err(LegacyHashError::Broken) };
    let iterations = match parameters.split_once(',') {
        Some(_) => {
            let [iterations, length] = named(parameters, ["i", "l"])?;
            let written = encoding::base64(hash)?.len();
            if usize::try_from(length).is_ok_and(|length| length != written) {
                return Err(LegacyHashError::Broken);
            }
            iterations
        }
        None => number(parameters.strip_prefix("i=").unwrap_or(parameters))?,
    };
    let scheme = Scheme::Pbkdf2 { digest, iterations };
    Ok(LegacyHash { scheme, salt: encoding::base64(salt)?, expected: encoding::base64(hash)? })
}

/// `600000$salt$hash`; the salt is plain text.
fn django_pbkdf2(digest: Digest, rest: &str) -> Result<LegacyHash, LegacyHashError> {
    let parts: Vec<&str> = rest.split('$').collect();
    let [iterations, salt, hash] = parts[..] else { return Err(LegacyHashError::Broken) };
    let scheme = Scheme::Pbkdf2 { digest, iterations: number(iterations)? };
    Ok(LegacyHash { scheme, salt: salt.into(), expected: encoding::base64(hash)? })
}

/// Parses `m=1,t=2,p=3`: exactly these names in this order.
fn named<const N: usize>(text: &str, names: [&str; N]) -> Result<[u32; N], LegacyHashError> {
    let mut values = [0; N];
    let mut pairs = text.split(',');
    for (value, name) in values.iter_mut().zip(names) {
        let (given, digits) =
            pairs.next().and_then(|pair| pair.split_once('=')).ok_or(LegacyHashError::Broken)?;
        if given != name {
            return Err(LegacyHashError::Broken);
        }
        *value = number(digits)?;
    }
    if pairs.next().is_some() { Err(LegacyHashError::Broken) } else { Ok(values) }
}

/// Parses digits only. A number above 32 bits becomes the largest one, which exceeds every bound.
fn number(text: &str) -> Result<u32, LegacyHashError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(LegacyHashError::Broken);
    }
    Ok(text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
