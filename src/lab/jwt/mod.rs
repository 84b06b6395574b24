//! The exhibit that sessions are held against: JSON Web Tokens (RFC 7519) as their best advocates would build them.
//! Imports nothing of ours. Only the lab and the yardstick may call it: no guard of the product takes such a token.
//!
//! What RFC 8725 asks for is done here: one algorithm a verifier, keys of that algorithm only, found by their id and
//! never taken from the token, an explicit type for each use, issuer and audience always checked.

mod key;
mod provider;
mod read;
#[cfg(test)]
mod tests;
mod verifier;

use std::fmt::{self, Display, Formatter};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto;
use serde::{Deserialize, Serialize};

pub use key::Key;
pub use provider::install;
pub use read::{Readable, read};
pub use verifier::{Refusal, Verifier};

/// How a token is signed. Anything else that JOSE knows, `none` above all, has no name here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// HMAC with SHA-256: whoever can verify can also sign.
    Hs256,
    /// Ed25519: verified with a public key (RFC 8037).
    EdDsa,
}

impl Algorithm {
    /// As the `alg` header has it.
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

/// What a token is for. It says so in its `typ` header, so that one kind never passes for the other (RFC 8725, 3.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// Shown with every request.
    Access,
    /// Shown only to get the next pair.
    Refresh,
}

impl Use {
    /// The `typ` header: `at+jwt` is RFC 9068's, `rt+jwt` is of our making.
    fn typ(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Refresh => "rt+jwt",
        }
    }
}

/// What a token says, to everybody who holds it. All of it must be there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: Vec<String>,
    pub sub: String,
    /// Seconds since 1970, as `exp`.
    pub iat: i64,
    pub exp: i64,
    pub jti: String,
    pub role: String,
}

/// Why there is no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The key is there to verify with.
    VerifyOnly,
    /// The library did not do it.
    Library,
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VerifyOnly => "this key can verify tokens and not sign them",
            Self::Library => "the token could not be signed",
        })
    }
}

impl std::error::Error for Error {}

/// The head of a token of ours.
#[derive(Serialize)]
struct Head<'k> {
    typ: &'static str,
    alg: &'static str,
    kid: &'k str,
}

pub fn sign(key: &Key, use_: Use, claims: &Claims) -> Result<String, Error> {
    let head = Head { typ: use_.typ(), alg: key.algorithm().name(), kid: key.id() };
    signed(key, &head, claims)
}

fn signed(key: &Key, head: &impl Serialize, claims: &impl Serialize) -> Result<String, Error> {
    let private = key.private().ok_or(Error::VerifyOnly)?;
    let mut token = part(head)?;
    token.push('.');
    token.push_str(&part(claims)?);
    let signature = crypto::sign(token.as_bytes(), private, key.algorithm().in_jose());
    token.push('.');
    token.push_str(&signature.map_err(|_| Error::Library)?);
    Ok(token)
}

fn part(value: &impl Serialize) -> Result<String, Error> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).map_err(|_| Error::Library)?))
}
