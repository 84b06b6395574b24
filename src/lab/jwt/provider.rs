//! The two signature algorithms that we provide to `jsonwebtoken`. Its own providers bring either a C library or RSA
//! and the NIST curves; here no other algorithm is compiled in, so that no header can ask for one.

use ed25519_dalek::Signer as _;
use ed25519_dalek::{SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use sha2::Sha256;
use signature::{Error, Signer, Verifier};

/// The PKCS #8 prefix of an Ed25519 seed (RFC 8410), in which the library stores private keys.
pub(super) const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    // We create no JWKs.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Must be called before the library is used. Calling it again has no effect.
pub fn install() {
    // It fails only if the provider is installed already.
    let _ = PROVIDER.install_default();
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => Ok(Box::new(hs256(key.as_bytes())?)),
        (Algorithm::EdDSA, AlgorithmFamily::Ed) => {
            let seed = key.as_bytes().strip_prefix(&PKCS8).and_then(|seed| seed.try_into().ok());
            Ok(Box::new(Ed25519SigningKey(SigningKey::from_bytes(seed.ok_or(ErrorKind::InvalidEddsaKey)?))))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let bytes = key.try_get_as_bytes()?;
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => Ok(Box::new(hs256(bytes)?)),
        (Algorithm::EdDSA, AlgorithmFamily::Ed) => {
            let key = bytes.try_into().ok().and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
            Ok(Box::new(Ed25519VerifyingKey(key.ok_or(ErrorKind::InvalidEddsaKey)?)))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn hs256(secret: &[u8]) -> Result<JwtHmacKey> {
    Ok(JwtHmacKey(Hmac::new_from_slice(secret).map_err(|_| ErrorKind::InvalidKeyFormat)?))
}

struct JwtHmacKey(Hmac<Sha256>);

impl Signer<Vec<u8>> for JwtHmacKey {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for JwtHmacKey {
    /// Compares in constant time.
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(Error::from_source)
    }
}

impl JwtSigner for JwtHmacKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for JwtHmacKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

struct Ed25519SigningKey(SigningKey);

impl Signer<Vec<u8>> for Ed25519SigningKey {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).to_bytes().to_vec())
    }
}

impl JwtSigner for Ed25519SigningKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct Ed25519VerifyingKey(VerifyingKey);

impl Verifier<Vec<u8>> for Ed25519VerifyingKey {
    /// Strict verification: one signature is never valid for several keys.
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| Error::new())?;
        self.0.verify_strict(message, &signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for Ed25519VerifyingKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}
