//! Looks the session of a live connection up again after each change, and ends the connection with its session.

use std::sync::Arc;
use std::time::Instant;

use latchkey_sessions::{Key, StreamEnd};
use tokio::time::timeout;
use uuid::Uuid;

use super::record::{EndCause, StreamRecord};
use super::registry::SessionStream;
use crate::config::StreamLimits;
use crate::lab::queries;
use crate::lab::service::Lab;
use latchkey_sessions::Principal;

/// A connection, and the key that it was opened with.
pub struct Watched {
    pub stream: Arc<SessionStream>,
    pub record: Arc<StreamRecord>,
    pub key: Key,
    pub run: Uuid,
}

/// Runs until the stream has ended.
pub async fn watch(lab: Lab, watched: Watched) {
    let stream = &watched.stream;
    // Since when the session could not be confirmed.
    let mut unconfirmed: Option<Instant> = None;
    while stream.end().is_none() {
        let limit = match unconfirmed {
            Some(_) => StreamLimits::RETRY_AFTER,
            None => StreamLimits::TIME_CHECK_EVERY,
        };
        // The session may also expire.
        let _ = timeout(limit, stream.facts.changed.notified()).await;
        match still_live(&lab, &watched).await {
            Confirmation::Live => unconfirmed = None,
            Confirmation::Ended => {
                watched.end(&lab, EndCause::SessionEnded, StreamEnd::Ended);
                return explain(&lab, &watched).await;
            }
            Confirmation::Unknown => {
                let since = *unconfirmed.get_or_insert_with(Instant::now);
                if since.elapsed() >= StreamLimits::UNCONFIRMED_FOR {
                    watched.end(&lab, EndCause::Unconfirmed, StreamEnd::Unconfirmed);
                }
            }
        }
    }
}

enum Confirmation {
    Live,
    Ended,
    /// There is no lease, or the database does not answer.
    Unknown,
}

async fn still_live(lab: &Lab, watched: &Watched) -> Confirmation {
    let stream = &watched.stream;
    let Some(now) = lab.product.lease_moment() else { return Confirmation::Unknown };
    if stream.is_over(now) && !stream.is_marked() {
        stream.mark();
    }
    if !stream.is_marked() {
        // Writes that waited for a lease go on.
        stream.wake_waiting();
        return Confirmation::Live;
    }
    let generation = stream.generation();
    let found = timeout(StreamLimits::UNCONFIRMED_FOR, lab.sessions.find(&watched.key)).await;
    let Some(found) = found.ok().and_then(Result::ok) else { return Confirmation::Unknown };
    match found.filter(|live| live.record.principal == Principal(watched.run)) {
        Some(live) => {
            stream.clear(generation, live.record.expires_at);
            Confirmation::Live
        }
        None => Confirmation::Ended,
    }
}

impl Watched {
    fn end(&self, lab: &Lab, cause: EndCause, end: StreamEnd) {
        if self.stream.finish(end) {
            self.record.end(cause, lab.product.lease_moment());
        }
    }
}

/// Reads when the session ended. Only the page needs it: the connection is closed already.
async fn explain(lab: &Lab, watched: &Watched) {
    let (run, key) = (watched.run, watched.key.hash());
    let revoked = lab.db.read(move |conn| queries::access_ended(conn, run, &key)).await;
    if let Ok(Some(revoked)) = revoked {
        watched.record.explain(revoked);
    }
}
