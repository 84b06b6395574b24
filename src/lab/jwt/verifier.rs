//! Verifying a token: one check after the other, each with its own refusal.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::crypto;
use serde::{Deserialize, Serialize};

use super::{Algorithm, Claims, JwtKey, TokenUse};

/// The limit for a cookie with its name and attributes (RFC 6265bis §5.6). Longer tokens are not decoded.
pub(super) const MAX_LENGTH: usize = 4096;

/// Accepts tokens of one algorithm, issuer and audience.
pub struct Verifier {
    algorithm: Algorithm,
    keys: Vec<JwtKey>,
    issuer: String,
    audience: String,
}

/// Why a token is refused: the first reason found. A `found` value comes from the token and was not verified.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "kebab-case")]
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

impl Refusal {
    /// Stable, for tests and `data-` attributes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "token-malformed",
            Self::Algorithm { .. } => "token-algorithm",
            Self::Type { .. } => "token-type",
            Self::UnknownKey => "token-unknown-key",
            Self::Signature => "token-signature",
            Self::Expired { .. } => "token-expired",
            Self::NotYet => "token-not-yet-valid",
            Self::Issuer => "token-issuer",
            Self::Audience => "token-audience",
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the token is malformed"),
            Self::Algorithm { found } => write!(f, "the algorithm {found:?} is not accepted"),
            Self::Type { found } => write!(f, "the type {found:?} is not the one required here"),
            Self::UnknownKey => f.write_str("the token names an unknown key"),
            Self::Signature => f.write_str("the signature does not match"),
            Self::Expired { at } => write!(f, "the token expired at {at} (Unix time)"),
            Self::NotYet => f.write_str("the token was issued in the future"),
            Self::Issuer => f.write_str("the token is from another issuer"),
            Self::Audience => f.write_str("the token is for another audience"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The header members that are read. Members that offer a key (`jwk`, `jku`, `x5u`, `x5c`) are ignored.
#[derive(Deserialize)]
struct PresentedHeader<'t> {
    #[serde(borrow)]
    alg: Cow<'t, str>,
    #[serde(borrow, default)]
    typ: Option<Cow<'t, str>>,
    #[serde(borrow, default)]
    kid: Option<Cow<'t, str>>,
    /// Critical extensions (RFC 7515 §4.1.11): none is supported.
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

impl Verifier {
    /// Keys of another algorithm are left out: a token that names one names an unknown key.
    pub fn new(algorithm: Algorithm, mut keys: Vec<JwtKey>, issuer: &str, audience: &str) -> Self {
        keys.retain(|key| key.algorithm() == algorithm);
        Self { algorithm, keys, issuer: issuer.to_owned(), audience: audience.to_owned() }
    }

    /// `now` is Unix time in seconds. There is no leeway: signer and verifier must agree on the time, or the caller
    /// adjusts `now`.
    pub fn verify(&self, use_: TokenUse, token: &str, now: i64) -> Result<Claims, Refusal> {
        if token.len() > MAX_LENGTH {
            return Err(Refusal::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Refusal::Malformed)?;
        if payload.contains('.') {
            return Err(Refusal::Malformed);
        }
        let header = decoded(header)?;
        let header: PresentedHeader = serde_json::from_slice(&header).map_err(|_| Refusal::Malformed)?;
        if header.alg != self.algorithm.name() {
            return Err(Refusal::Algorithm { found: header.alg.into_owned() });
        }
        if header.crit.is_some() {
            return Err(Refusal::Malformed);
        }
        let typ = header.typ.unwrap_or_default();
        if !is_type(&typ, use_) {
            return Err(Refusal::Type { found: typ.into_owned() });
        }
        let key = self.keys.iter().find(|key| header.kid.as_deref() == Some(key.id()));
        let key = key.ok_or(Refusal::UnknownKey)?;
        match crypto::verify(signature, message.as_bytes(), key.verifying(), self.algorithm.in_jose()) {
            Ok(true) => {}
            Ok(false) => return Err(Refusal::Signature),
            Err(_) => return Err(Refusal::Malformed),
        }
        // The payload is not read before this line.
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
        // The token is already invalid in the second `exp` (RFC 7519 §4.1.4).
        if now >= claims.exp {
            return Err(Refusal::Expired { at: claims.exp });
        }
        Ok(claims)
    }
}

pub(super) fn decoded(part: &str) -> Result<Vec<u8>, Refusal> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| Refusal::Malformed)
}

/// Compares media types: the prefix `application/` is optional and case does not matter (RFC 7515 §4.1.9).
fn is_type(typ: &str, use_: TokenUse) -> bool {
    let lower = typ.to_ascii_lowercase();
    lower.strip_prefix("application/").unwrap_or(&lower) == use_.typ()
}
