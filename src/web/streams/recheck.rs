//! Decides again whether a stream may go on.

use std::sync::Arc;
use std::time::Instant;

use actix_web::rt::spawn;
use actix_web::rt::time::{sleep, timeout};
use latchkey_sessions::{ActiveStream, StreamEnd, Use};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::credential::{CredentialId, LiveCredential};
use super::facts::{StreamFacts, ends_at};
use super::live_streams::{LiveStreams, MarkedStreams, Marker};
use crate::accounts::Accounts;
use crate::apps::{Answer, decide};
use crate::config::StreamLimits;
use crate::db::time::Moment;
use crate::db::{Failed, refuse};

type Stream = ActiveStream<StreamFacts>;

/// Starts to observe the store. Tasks of the current runtime decide marked streams again.
pub fn start(accounts: &Accounts) -> Arc<LiveStreams> {
    let (queue, marked) = unbounded_channel();
    let streams = Arc::new(LiveStreams::new(accounts, queue));
    // After the observers of tokens and apps, which have then forgotten what a stream is decided by.
    accounts.sessions().observe(Arc::new(Marker(Arc::downgrade(&streams))));
    spawn(run(Arc::clone(&streams), marked));
    spawn(watch_the_time(Arc::clone(&streams)));
    streams
}

/// Decides marked streams again. All streams of a change are decided at once, so that the store reads their keys in a
/// few queries.
async fn run(streams: Arc<LiveStreams>, mut marked: UnboundedReceiver<MarkedStreams>) {
    while let Some(MarkedStreams { since, streams: marked }) = marked.recv().await {
        for stream in marked {
            let streams = Arc::clone(&streams);
            spawn(async move { streams.recheck(&stream, since).await });
        }
    }
}

/// Marks streams whose session or token may have expired, and ends all streams if the instance stays without a lease.
async fn watch_the_time(streams: Arc<LiveStreams>) {
    let mut without_lease: Option<Instant> = None;
    loop {
        sleep(StreamLimits::TIME_CHECK_EVERY).await;
        let Some(now) = streams.lease_moment() else {
            let since = *without_lease.get_or_insert_with(Instant::now);
            let waited = |stream: &Stream| since.max(stream.facts.begun).elapsed();
            let all = streams.streams.all();
            let unconfirmed = all.iter().filter(|stream| waited(stream) >= StreamLimits::UNCONFIRMED_FOR);
            unconfirmed.for_each(|stream| close(stream, StreamEnd::Unconfirmed));
            continue;
        };
        let all = streams.streams.all();
        without_lease = None;
        // Their tasks may be waiting for a lease.
        all.iter().for_each(|stream| stream.wake_waiting());
        let over = all.into_iter().filter(|stream| stream.is_over(now) && !stream.is_marked());
        let over: Vec<Arc<Stream>> = over.inspect(|stream| stream.mark()).collect();
        streams.decide_again(over);
    }
}

impl LiveStreams {
    /// Runs until the stream is no longer marked. Changes that are announced meanwhile are decided here, too.
    ///
    /// * `since`: when the stream was marked.
    async fn recheck(&self, stream: &Stream, since: Instant) {
        let mut unconfirmed_since = since;
        loop {
            while stream.end().is_none() && stream.is_marked() {
                let generation = stream.generation();
                let limit = StreamLimits::UNCONFIRMED_FOR.saturating_sub(unconfirmed_since.elapsed());
                let decided = timeout(limit, self.still_allowed(stream)).await;
                match decided.unwrap_or_else(|_| refuse(StreamEnd::Unconfirmed)) {
                    Ok(until) => {
                        stream.clear(generation, until);
                        unconfirmed_since = Instant::now();
                    }
                    Err(Failed::Refused(why)) => close(stream, why),
                    // The database does not answer.
                    Err(Failed::Fault(_)) => sleep(StreamLimits::RETRY_AFTER).await,
                }
            }
            stream.facts.end_recheck();
            // A change in between was left to this task.
            if stream.end().is_some() || !stream.is_marked() || !stream.facts.begin_recheck() {
                return;
            }
        }
    }

    /// Until when the stream may go on, according to its session or token and the rules.
    async fn still_allowed(&self, stream: &Stream) -> Result<Moment, Failed<StreamEnd>> {
        let facts = &stream.facts;
        let snapshot = self.accounts.apps.snapshot().await?;
        let app = snapshot.by_host(facts.origin.host()).filter(|app| app.id == facts.app.id);
        let Some(app) = app.filter(|app| app.origins.contains(&facts.origin)) else {
            return refuse(StreamEnd::Refused);
        };
        // A disabled app's keys have ended too, but not its tokens. With another upstream, the response comes from a server
        // that the app no longer has.
        if !app.enabled || app.upstream != facts.app.upstream {
            return refuse(StreamEnd::Refused);
        }
        let found = match &facts.key {
            None => None,
            Some(key) => {
                let found = key.credential.find(&self.accounts, app.id, &facts.origin, Use::Background);
                let Some(found) = found.await? else { return refuse(StreamEnd::Ended) };
                Some(found)
            }
        };
        let caller = found.as_ref().map(LiveCredential::caller);
        let (answer, _) = decide(app, &facts.asked(), caller.as_ref(), facts.opened);
        match answer {
            Answer::Pass { .. } => Ok(ends_at(found.as_ref())),
            _ => refuse(StreamEnd::Refused),
        }
    }
}

/// Ends a stream, and logs why.
fn close(stream: &Stream, why: StreamEnd) {
    if !stream.finish(why) {
        return;
    }
    let facts = &stream.facts;
    let id = facts.key.as_ref().map(|key| key.id);
    let (session, token) = (id.and_then(CredentialId::session), id.and_then(CredentialId::token));
    tracing::info!(
        id = &*facts.request_id,
        app = facts.app.slug.as_str(),
        session = session.map(tracing::field::display),
        token = token.map(tracing::field::display),
        principal = stream.principal().map(tracing::field::display),
        why = reason(why, token.is_some()),
        "stream closed"
    );
}

fn reason(end: StreamEnd, by_token: bool) -> &'static str {
    match end {
        StreamEnd::Ended if by_token => "the access token has ended",
        StreamEnd::Ended => "the session has ended",
        StreamEnd::Refused => "the rules no longer allow it",
        StreamEnd::Unconfirmed => "it could not be decided again in time",
        StreamEnd::Shutdown => "the instance stops",
    }
}
