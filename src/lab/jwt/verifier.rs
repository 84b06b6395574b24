//! Whether a token is believed: one check after the other, each with its own refusal.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto;
use serde::Deserialize;

use super::{Algorithm, Claims, Key, Use};

/// No cookie is longer with its name and attributes (RFC 6265bis, 5.6). Nothing longer is even decoded.
pub(super) const LONGEST: usize = 4096;

/// Takes tokens of one algorithm, issuer and audience.
pub struct Verifier {
    algorithm: Algorithm,
    keys: Vec<Key>,
    issuer: String,
    audience: String,
}

/// Why a token is not believed. The first reason found; whatever a refusal repeats was not verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    Malformed,
    Algorithm { found: String },
    Type { found: String },
    UnknownKey,
    Signature,
    Expired { at: i64 },
    NotYet,
    Issuer,
    Audience,
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("This is no token of the kind that is read here."),
            Self::Algorithm { found } => {
                write!(f, "It is signed with {found:?}, which is not accepted here.")
            }
            Self::Type { found } => write!(f, "It is of the type {found:?}, and another one is asked for."),
            Self::UnknownKey => f.write_str("It names no key that is known here."),
            Self::Signature => f.write_str("Its signature is not by the key it names."),
            Self::Expired { at } => {
                write!(f, "It was good until {at} seconds after 1970 began, and no longer.")
            }
            Self::NotYet => f.write_str("It was issued in the future."),
            Self::Issuer => f.write_str("Somebody else issued it."),
            Self::Audience => f.write_str("It was issued for somebody else."),
        }
    }
}

impl std::error::Error for Refusal {}

/// What decides how the rest is read. Where a key might be had (`jwk`, `jku`, `x5u`, `x5c`) is not even looked at.
#[derive(Deserialize)]
struct Head<'t> {
    #[serde(borrow)]
    alg: Cow<'t, str>,
    #[serde(borrow, default)]
    typ: Option<Cow<'t, str>>,
    #[serde(borrow, default)]
    kid: Option<Cow<'t, str>>,
    /// Extensions that must be understood (RFC 7515, 4.1.11): none is.
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

impl Verifier {
    /// Keys of another algorithm are left out: a token that names one names no key at all.
    pub fn new(algorithm: Algorithm, mut keys: Vec<Key>, issuer: &str, audience: &str) -> Self {
        keys.retain(|key| key.algorithm() == algorithm);
        Self { algorithm, keys, issuer: issuer.to_owned(), audience: audience.to_owned() }
    }

    /// `now` in seconds since 1970. There is no leeway: who signs and who verifies must agree on the time, or allow
    /// for it in `now`.
    pub fn verify(&self, use_: Use, token: &str, now: i64) -> Result<Claims, Refusal> {
        if token.len() > LONGEST {
            return Err(Refusal::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (head, payload) = message.split_once('.').ok_or(Refusal::Malformed)?;
        if payload.contains('.') {
            return Err(Refusal::Malformed);
        }
        let head = decoded(head)?;
        let head: Head = serde_json::from_slice(&head).map_err(|_| Refusal::Malformed)?;
        if head.alg != self.algorithm.name() {
            return Err(Refusal::Algorithm { found: head.alg.into_owned() });
        }
        if head.crit.is_some() {
            return Err(Refusal::Malformed);
        }
        let typ = head.typ.unwrap_or_default();
        if !is_type(&typ, use_) {
            return Err(Refusal::Type { found: typ.into_owned() });
        }
        let key = self.keys.iter().find(|key| head.kid.as_deref() == Some(key.id()));
        let key = key.ok_or(Refusal::UnknownKey)?;
        match crypto::verify(signature, message.as_bytes(), key.verifying(), self.algorithm.in_jose()) {
            Ok(true) => {}
            Ok(false) => return Err(Refusal::Signature),
            Err(_) => return Err(Refusal::Malformed),
        }
        // Nothing of the payload is read before this line.
        let claims: Claims = serde_json::from_slice(&decoded(payload)?).map_err(|_| Refusal::Malformed)?;
        if claims.iss != self.issuer {
            return Err(Refusal::Issuer);
        }
        if !claims.aud.contains(&self.audience) {
            return Err(Refusal::Audience);
        }
        if claims.iat > now {
            return Err(Refusal::NotYet);
        }
        // At that second it is over (RFC 7519, 4.1.4).
        if now >= claims.exp {
            return Err(Refusal::Expired { at: claims.exp });
        }
        Ok(claims)
    }
}

pub(super) fn decoded(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)
}

/// A media type, whose `application/` may be left out, and whose case does not matter (RFC 7515, 4.1.9).
fn is_type(typ: &str, use_: Use) -> bool {
    let lower = typ.to_ascii_lowercase();
    lower.strip_prefix("application/").unwrap_or(&lower) == use_.typ()
}
