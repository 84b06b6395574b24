//! Waits for the head of a response while the body of its request is sent.

use std::pin::pin;

use tokio::time::{Instant, timeout_at};

use super::error::ProxyError;
use super::upload::{UploadProgress, UploadState};
use crate::apps::AppLimits;

/// Each part of the body that the upstream accepts renews the time for the head. A client that stops sending has less
/// or more time than an upstream that stops reading, as the app's limits say.
pub async fn within<F: Future>(
    head: F,
    upload: Option<&UploadProgress>,
    limits: &AppLimits,
) -> Result<F::Output, ProxyError> {
    let mut head = pin!(head);
    let began = Instant::now();
    loop {
        let since = upload.map_or(began, |upload| upload.moved().max(began));
        let waits_for_client = upload.is_some_and(|upload| upload.state() == UploadState::WaitsForClient);
        let deadline = since + if waits_for_client { limits.idle } else { limits.head };
        let now = Instant::now();
        if now >= deadline {
            return Err(if waits_for_client { ProxyError::ClientTooSlow } else { ProxyError::HeadTimeout });
        }
        // Which of the two it waits for may change meanwhile.
        let until = deadline.min(now + limits.idle.min(limits.head));
        if let Ok(head) = timeout_at(until, head.as_mut()).await {
            return Ok(head);
        }
    }
}
