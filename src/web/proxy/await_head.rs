//! Waits for the head of a response while the body of its request is sent.

use std::pin::pin;

use tokio::time::{Instant, timeout_at};

use super::error::ProxyError;
use super::upload::{UploadProgress, UploadState};
use crate::apps::AppLimits;

/// Each part of the body that the upstream accepts restarts the time limit for the head. While the client sends
/// nothing, or too little, the limit is `idle`; if the upstream stops reading, it is `head`.
pub async fn within<F: Future>(
    head: F,
    upload: Option<&UploadProgress>,
    limits: &AppLimits,
) -> Result<F::Output, ProxyError> {
    let mut head = pin!(head);
    let began = Instant::now();
    loop {
        let since = upload.map_or(began, |upload| upload.moved().max(began));
        let client = upload.filter(|upload| upload.state() == UploadState::WaitsForClient);
        let waits_for_client = client.is_some();
        let deadline = since + client.map_or(limits.head, |upload| upload.patience(limits.idle));
        let now = Instant::now();
        if now >= deadline {
            return Err(if waits_for_client { ProxyError::ClientTooSlow } else { ProxyError::HeadTimeout });
        }
        // The side that is waited for may change, so check again after the shorter limit.
        let until = deadline.min(now + limits.idle.min(limits.head));
        if let Ok(head) = timeout_at(until, head.as_mut()).await {
            return Ok(head);
        }
    }
}
