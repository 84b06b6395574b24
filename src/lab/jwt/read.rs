//! Reading a token without its key, as every holder can. Nothing is verified.

use serde_json::Value;

use super::verifier::{MAX_LENGTH, decoded};

/// Header and payload as JSON, one member a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Readable {
    pub header: String,
    pub payload: String,
}

/// Decodes header and payload without verifying anything.
pub fn read(token: &str) -> Option<Readable> {
    if token.len() > MAX_LENGTH {
        return None;
    }
    let mut parts = token.split('.');
    let (header, payload) = (pretty(parts.next()?)?, pretty(parts.next()?)?);
    // Only the signature may follow.
    (parts.count() == 1).then_some(Readable { header, payload })
}

fn pretty(part: &str) -> Option<String> {
    let value: Value = serde_json::from_slice(&decoded(part).ok()?).ok()?;
    value.is_object().then(|| serde_json::to_string_pretty(&value).ok())?
}
