//! JSON Web Tokens (RFC 7519) that follow best practice, to compare sessions with. No guard of the product accepts
//! them. This module imports nothing else of Latchkey.
//!
//! RFC 8725 is followed: each verifier has one algorithm and keys of that algorithm only, which are found by their id
//! and never taken from the token; each use has an explicit type; issuer and audience are always checked.

mod key;
mod provider;
mod read;
#[cfg(test)]
mod tests;
mod verifier;

use std::fmt::{self, Display, Formatter};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::crypto;
use serde::{Deserialize, Serialize};

pub use key::JwtKey;
pub use provider::install;
pub use read::{Readable, read};
pub use verifier::{Refusal, Verifier};

/// The signature algorithm of a token. No other JOSE algorithm exists here, `none` included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC with SHA-256: a service that can verify can also sign.
    Hs256,
    /// Ed25519: verified with a public key (RFC 8037).
    EdDsa,
}

impl Algorithm {
    /// The name in the `alg` header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
        }
    }

    fn in_jose(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// What a token is for. Its `typ` header says so, so that neither kind is accepted as the other (RFC 8725 §3.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenUse {
    /// Sent with every request.
    Access,
    /// Sent only to get the next pair.
    Refresh,
}

impl TokenUse {
    /// The `typ` header: `at+jwt` is from RFC 9068, `rt+jwt` is ours.
    fn typ(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Refresh => "rt+jwt",
        }
    }
}

/// The claims of a token, readable by every holder. All of them are required.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: Vec<String>,
    pub sub: String,
    /// Unix time in seconds, like `exp`.
    pub iat: i64,
    pub exp: i64,
    pub jti: String,
    pub role: String,
}

/// Why a token could not be signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SigningError {
    /// The key can only verify.
    VerifyOnly,
    /// The library returned an error.
    Library,
}

impl Display for SigningError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VerifyOnly => "this key can verify tokens but not sign them",
            Self::Library => "the token could not be signed",
        })
    }
}

impl std::error::Error for SigningError {}

/// The header of a token that we sign.
#[derive(Serialize)]
struct SigningHeader<'k> {
    typ: &'static str,
    alg: &'static str,
    kid: &'k str,
}

pub fn sign(key: &JwtKey, use_: TokenUse, claims: &Claims) -> Result<String, SigningError> {
    let header = SigningHeader { typ: use_.typ(), alg: key.algorithm().name(), kid: key.id() };
    signed(key, &header, claims)
}

fn signed(key: &JwtKey, header: &impl Serialize, claims: &impl Serialize) -> Result<String, SigningError> {
    let private = key.private().ok_or(SigningError::VerifyOnly)?;
    let mut token = part(header)?;
    token.push('.');
    token.push_str(&part(claims)?);
    let signature = crypto::sign(token.as_bytes(), private, key.algorithm().in_jose());
    token.push('.');
    token.push_str(&signature.map_err(|_| SigningError::Library)?);
    Ok(token)
}

fn part(value: &impl Serialize) -> Result<String, SigningError> {
    Ok(BASE64URL_NOPAD.encode(&serde_json::to_vec(value).map_err(|_| SigningError::Library)?))
}
