//! Computes a legacy hash. Blocks: the hasher calls it on its blocking threads.

use argon2::{Argon2, Params};
use data_encoding::HEXLOWER;
use sha2::Digest as _;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::model::{Digest, LegacyHash, Scheme};
use crate::passwords::HashingFailed;

/// Bytes of bcrypt's output that its text form keeps, of 24.
pub(super) const BCRYPT_OUTPUT: usize = 23;
/// Bytes of a password that bcrypt uses, with the NUL at its end.
const BCRYPT_KEY: usize = 72;

impl LegacyHash {
    /// Whether this is the hash of `typed`, compared in constant time. `typed` is the password as sent, not in NFC,
    /// because other software hashed it so.
    pub fn matches(&self, typed: &[u8]) -> Result<bool, HashingFailed> {
        let mut output = Zeroizing::new(vec![0; self.expected.len()]);
        match self.scheme {
            Scheme::Argon2 { algorithm, version, memory_kib, iterations, lanes } => {
                let params = Params::new(memory_kib, iterations, lanes, Some(output.len()));
                Argon2::new(algorithm, version, params.map_err(|_| HashingFailed)?)
                    .hash_password_into(typed, &self.salt, &mut output)
                    .map_err(|_| HashingFailed)?;
            }
            Scheme::Bcrypt { cost, sha256 } => {
                let salt = <[u8; 16]>::try_from(self.salt.as_slice()).map_err(|_| HashingFailed)?;
                let key = if sha256 { hexadecimal_sha256(typed) } else { Zeroizing::new(typed.to_vec()) };
                // bcrypt would end the password at a NUL and accept any text after it.
                if key.contains(&0) {
                    return Ok(false);
                }
                let raw = Zeroizing::new(bcrypt::bcrypt(cost, salt, &bcrypt_key(&key)));
                output.copy_from_slice(raw.get(..BCRYPT_OUTPUT).ok_or(HashingFailed)?);
            }
            Scheme::Scrypt { log_n, r, p } => {
                let params = scrypt::Params::new(log_n, r, p).map_err(|_| HashingFailed)?;
                scrypt::scrypt(typed, &self.salt, &params, &mut output).map_err(|_| HashingFailed)?;
            }
            Scheme::Pbkdf2 { digest, iterations } => {
                let derive = match digest {
                    Digest::Sha1 => pbkdf2::pbkdf2_hmac::<sha1::Sha1>,
                    Digest::Sha256 => pbkdf2::pbkdf2_hmac::<sha2::Sha256>,
                    Digest::Sha512 => pbkdf2::pbkdf2_hmac::<sha2::Sha512>,
                };
                derive(typed, &self.salt, iterations, &mut output);
            }
        }
        Ok(self.expected.ct_eq(&output).into())
    }
}

fn bcrypt_key(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(BCRYPT_KEY));
    key.extend(password.iter().copied().chain([0]).take(BCRYPT_KEY));
    key
}

fn hexadecimal_sha256(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let digest = Zeroizing::new(<[u8; 32]>::from(sha2::Sha256::digest(password)));
    Zeroizing::new(HEXLOWER.encode(&*digest).into_bytes())
}
