//! Answers to the questions of `latchkey doctor`, signed so that nothing between it and the instance can change them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::secret::{Secret, encode, random};

/// How far the time of a question may be from this machine's: clocks differ.
pub const FRESH_FOR: u64 = 60;

#[derive(Serialize, Deserialize)]
pub(super) struct SignedAnswer {
    seen: String,
    signature: String,
}

/// Signs what was seen of `question`. `None` if it is not JSON.
pub(super) fn sign(
    secret: &Secret,
    purpose: &str,
    question: &str,
    seen: &impl Serialize,
) -> Option<SignedAnswer> {
    let seen = serde_json::to_string(seen).ok()?;
    let signature = encode(&secret.mac(purpose, &[question.as_bytes(), seen.as_bytes()]));
    Some(SignedAnswer { seen, signature })
}

/// What an answer to `question` says, if its signature proves that the instance has the secret.
pub(super) fn verified<T: DeserializeOwned>(
    secret: &Secret,
    purpose: &str,
    question: &str,
    body: &[u8],
) -> Option<T> {
    let answer: SignedAnswer = serde_json::from_slice(body).ok()?;
    let parts = [question.as_bytes(), answer.seen.as_bytes()];
    secret.signed(purpose, &parts, &answer.signature).then(|| serde_json::from_str(&answer.seen).ok())?
}

/// The time now in seconds and a nonce, for a new question.
pub(super) fn stamp() -> Result<(i64, String), getrandom::Error> {
    Ok((OffsetDateTime::now_utc().unix_timestamp(), encode(&random::<12>()?)))
}

/// Whether a question of this time is still answered.
pub(super) fn is_fresh(at: &str) -> bool {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    at.parse::<i64>().is_ok_and(|at| now.abs_diff(at) <= FRESH_FOR)
}
