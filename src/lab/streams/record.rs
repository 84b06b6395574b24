//! The record of a live connection on this instance, for the page of its run.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::db::time::Moment;
use crate::lab::limits::STREAM_LIFE;

/// The credential behind which a connection was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamSide {
    Session,
    Token,
}

impl StreamSide {
    /// Stable, for tests and `data-` attributes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Token => "token",
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCause {
    /// The session was revoked or expired, or its subject was disabled.
    SessionEnded,
    /// Whether the session is live could not be determined in time.
    Unconfirmed,
    /// It reached the limit of the lab.
    LifeOver,
    /// Its run was ended, or replaced by another.
    RunOver,
    /// The instance is stopping.
    Stopped,
    /// The browser closed it.
    ClientLeft,
}

impl EndCause {
    /// Stable, for tests and `data-` attributes.
    pub fn code(self) -> &'static str {
        match self {
            Self::SessionEnded => "session-ended",
            Self::Unconfirmed => "unconfirmed",
            Self::LifeOver => "life-over",
            Self::RunOver => "run-over",
            Self::Stopped => "stopped",
            Self::ClientLeft => "client-left",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct StreamEnding {
    pub cause: EndCause,
    /// By the database's clock.
    pub at: Moment,
    /// The time since the session was revoked or its subject disabled, if that is the cause.
    pub after_revocation: Option<Duration>,
}

pub struct StreamRecord {
    pub side: StreamSide,
    /// By the database's clock.
    pub opened: Moment,
    begun: Instant,
    lines: AtomicU32,
    ending: Mutex<Option<StreamEnding>>,
}

impl StreamRecord {
    pub(super) fn new(side: StreamSide, opened: Moment) -> Self {
        Self { side, opened, begun: Instant::now(), lines: AtomicU32::new(0), ending: Mutex::new(None) }
    }

    /// How many lines were handed over for sending.
    pub fn lines(&self) -> u32 {
        self.lines.load(Ordering::Relaxed)
    }

    /// `None` while it is open.
    pub fn ending(&self) -> Option<StreamEnding> {
        *self.locked()
    }

    pub(super) fn is_too_old(&self) -> bool {
        self.begun.elapsed() >= STREAM_LIFE
    }

    pub(super) fn count_line(&self) -> u32 {
        self.lines.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Records the end, unless one is recorded already. Without `at`, the end is now.
    pub(super) fn end(&self, cause: EndCause, at: Option<Moment>) {
        let at = at.unwrap_or_else(|| self.opened.plus(self.begun.elapsed()));
        self.locked().get_or_insert(StreamEnding { cause, at, after_revocation: None });
    }

    /// Adds the time at which the session ended.
    pub(super) fn explain(&self, revoked: Moment) {
        if let Some(ending) = self.locked().as_mut() {
            ending.after_revocation = Some(ending.at.since(revoked));
        }
    }

    fn locked(&self) -> MutexGuard<'_, Option<StreamEnding>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_has_a_limited_life() {
        let mut record = StreamRecord::new(StreamSide::Token, Moment(0));
        assert!(!record.is_too_old());
        record.begun = Instant::now().checked_sub(STREAM_LIFE).unwrap();
        assert!(record.is_too_old());
    }

    #[test]
    fn the_first_end_counts_and_is_explained_afterwards() {
        let record = StreamRecord::new(StreamSide::Session, Moment(0));
        assert!(record.ending().is_none());
        record.end(EndCause::SessionEnded, Some(Moment(5_000)));
        record.end(EndCause::ClientLeft, None);
        record.explain(Moment(2_000));
        let ending = record.ending().unwrap();
        assert_eq!((ending.cause, ending.at), (EndCause::SessionEnded, Moment(5_000)));
        assert_eq!(ending.after_revocation, Some(Duration::from_millis(3)));
    }
}
