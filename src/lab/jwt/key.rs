//! A key with its id, prepared once.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use jsonwebtoken::{DecodingKey, EncodingKey};

use super::{Algorithm, provider};

/// Cheap to clone.
#[derive(Clone)]
pub struct JwtKey {
    algorithm: Algorithm,
    id: Arc<str>,
    private: Option<Arc<EncodingKey>>,
    verifying: Arc<DecodingKey>,
}

impl JwtKey {
    /// `kid` is the id that tokens refer to. Any 32 bytes are a key; use random ones.
    pub fn new(algorithm: Algorithm, kid: &str, seed: &[u8; 32]) -> Self {
        let (private, verifying) = match algorithm {
            Algorithm::Hs256 => (EncodingKey::from_secret(seed), DecodingKey::from_secret(seed)),
            Algorithm::EdDsa => {
                let public = SigningKey::from_bytes(seed).verifying_key();
                let wrapped = [provider::PKCS8.as_slice(), seed].concat();
                (EncodingKey::from_ed_der(&wrapped), DecodingKey::from_ed_der(public.as_bytes()))
            }
        };
        Self::of(algorithm, kid, private, verifying)
    }

    pub(super) fn of(algorithm: Algorithm, kid: &str, private: EncodingKey, verifying: DecodingKey) -> Self {
        provider::install();
        Self { algorithm, id: kid.into(), private: Some(Arc::new(private)), verifying: Arc::new(verifying) }
    }

    /// The key without its signing half, for services that only verify. HS256 has no public half: the returned key
    /// refuses to sign, but its holder still has the secret that signs.
    pub fn public(&self) -> Self {
        Self { private: None, ..self.clone() }
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn private(&self) -> Option<&EncodingKey> {
        self.private.as_deref()
    }

    pub(super) fn verifying(&self) -> &DecodingKey {
        &self.verifying
    }
}
