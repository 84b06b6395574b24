//! Opens a live connection on either side.

use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::rt::spawn;
use actix_web::rt::task::JoinHandle;
use latchkey_sessions::{Direction, OpenStream, StreamEnd, WriteGate, WritePermit};

use super::record::StreamSide;
use super::registry::{LineSource, SessionWatch};
use super::watch;
use crate::db::{Failed, refuse};
use crate::lab::check::Verdict;
use crate::lab::limits::StreamLimit;
use crate::lab::model::Service;
use crate::lab::run::Run;
use crate::lab::service::Lab;

/// Why a connection is not opened.
pub enum StreamRefusal {
    /// The credential is refused.
    Credential(Box<Verdict>),
    Limit(StreamLimit),
    /// This instance is not notified of revocations, so it could not end the connection.
    NoLease,
}

pub struct OpenedStream {
    pub lines: LineSource,
    /// Must be asked before each write; `None` behind a token.
    pub gate: Option<SessionGate>,
}

/// The stream of the session side while its connection is open.
pub struct SessionGate {
    stream: OpenStream<SessionWatch>,
    lab: Lab,
    watch: JoinHandle<()>,
}

impl WriteGate for SessionGate {
    fn poll_permit(
        &self,
        direction: Direction,
        cx: &Context<'_>,
    ) -> Poll<Result<WritePermit<'_>, StreamEnd>> {
        self.stream.poll_permit(direction, self.lab.product.lease_moment(), cx)
    }

    fn register(&self, direction: Direction, cx: &Context<'_>) {
        self.stream.register(direction, cx);
    }

    fn end(&self) -> Option<StreamEnd> {
        self.stream.end()
    }
}

impl Drop for SessionGate {
    fn drop(&mut self) {
        // If the stream has ended, the task must still record the reason.
        if self.stream.end().is_none() {
            self.watch.abort();
        }
    }
}

impl Lab {
    /// Opens a connection that lasts no longer than the session of `cookie`. Call it inside an actix runtime.
    ///
    /// # Errors
    /// Any [`Fault`](crate::db::Fault) of the database; a [`StreamRefusal`].
    pub async fn open_session_stream(
        &self,
        run: &Run,
        cookie: Option<&str>,
    ) -> Result<OpenedStream, Failed<StreamRefusal>> {
        let Some(key) = cookie.and_then(|cookie| self.verified_key(cookie)) else {
            return credential(self.check_session(run, cookie).await?);
        };
        // Before the lookup: the lookup sees a change that was announced earlier, and a later one marks the stream.
        let stream = self.streams.sessions.open(Some(run.principal()), SessionWatch::default());
        let generation = stream.generation();
        let verdict = self.check_session(run, cookie).await?;
        let Some(until) = verdict.until.filter(|_| verdict.is_admitted()) else {
            return credential(verdict);
        };
        if self.product.lease_moment().is_none() {
            return refuse(StreamRefusal::NoLease);
        }
        let lines = self
            .streams
            .admit(run.id, StreamSide::Session, run.now)
            .map_err(|limit| Failed::Refused(StreamRefusal::Limit(limit)))?;
        stream.clear(generation, until);
        let watched = watch::Watched {
            stream: Arc::clone(&stream),
            record: Arc::clone(&lines.record),
            key,
            run: run.id,
        };
        let watch = spawn(watch::watch(self.clone(), watched));
        let gate = SessionGate { stream, lab: self.clone(), watch };
        Ok(OpenedStream { lines, gate: Some(gate) })
    }

    /// Opens a connection like a gateway that verifies the token of each request.
    ///
    /// # Errors
    /// Any [`Fault`](crate::db::Fault) of the database that holds the deny-list; a [`StreamRefusal`].
    pub async fn open_token_stream(
        &self,
        run: &Run,
        token: Option<&str>,
    ) -> Result<OpenedStream, Failed<StreamRefusal>> {
        let verdict = self.check_token(run, Service::Shop, token).await?;
        if !verdict.is_admitted() {
            return credential(verdict);
        }
        let lines = self
            .streams
            .admit(run.id, StreamSide::Token, run.now)
            .map_err(|limit| Failed::Refused(StreamRefusal::Limit(limit)))?;
        Ok(OpenedStream { lines, gate: None })
    }
}

fn credential<T>(verdict: Verdict) -> Result<T, Failed<StreamRefusal>> {
    refuse(StreamRefusal::Credential(Box::new(verdict)))
}
