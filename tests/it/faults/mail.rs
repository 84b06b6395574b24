//! Not yet.
use super::outcome::Outcome;
pub async fn is_down() -> Vec<Outcome> { Vec::new() }
