//! The live connections of this instance: their limits, the changes that mark them, and their end when it stops.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use latchkey_sessions::{ActiveStream, Changes, Observer, StreamEnd, Streams};
use tokio::sync::Notify;
use uuid::Uuid;

use super::record::{EndCause, StreamRecord, StreamSide};
use crate::db::time::Moment;
use crate::lab::limits::{MAX_STREAMS, MAX_STREAMS_PER_RUN, RUN_LIFE, StreamLimit};

/// A stream of the session side.
pub(super) type SessionStream = ActiveStream<SessionWatch>;

/// Wakes the task that looks the session of a stream up again.
#[derive(Default)]
pub struct SessionWatch {
    pub(super) changed: Notify,
}

#[derive(Default)]
pub struct LabStreams {
    pub(super) sessions: Arc<Streams<SessionWatch>>,
    runs: Mutex<HashMap<Uuid, RunStreams>>,
    /// Open connections, those of forgotten runs included.
    open: AtomicUsize,
    stopping: AtomicBool,
}

/// The connections of one run, ended ones included; the newest last.
struct RunStreams {
    records: Vec<Arc<StreamRecord>>,
    since: Instant,
}

impl RunStreams {
    fn open(&self) -> usize {
        self.records.iter().filter(|record| record.ending().is_none()).count()
    }
}

impl LabStreams {
    /// The connections of a run on this instance, newest first.
    pub fn of_run(&self, run: Uuid) -> Vec<Arc<StreamRecord>> {
        self.runs().get(&run).map(|run| run.records.iter().rev().cloned().collect()).unwrap_or_default()
    }

    /// Ends all connections, now and from now on. Those behind a token end with their next line.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for stream in self.sessions.all() {
            stream.finish(StreamEnd::Shutdown);
        }
    }

    /// Counts another connection, unless there are too many.
    pub(super) fn admit(
        self: &Arc<Self>,
        run: Uuid,
        side: StreamSide,
        now: Moment,
    ) -> Result<LineSource, StreamLimit> {
        let mut runs = self.runs();
        // Only raised here, under the lock.
        if self.open.load(Ordering::SeqCst) >= MAX_STREAMS {
            return Err(StreamLimit::Instance);
        }
        let of_run =
            runs.entry(run).or_insert_with(|| RunStreams { records: Vec::new(), since: Instant::now() });
        if of_run.open() >= MAX_STREAMS_PER_RUN {
            return Err(StreamLimit::Run);
        }
        // Remove the oldest one that has ended, to make room.
        if of_run.records.len() >= MAX_STREAMS_PER_RUN
            && let Some(ended) = of_run.records.iter().position(|record| record.ending().is_some())
        {
            of_run.records.remove(ended);
        }
        let record = Arc::new(StreamRecord::new(side, now));
        of_run.records.push(Arc::clone(&record));
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(LineSource { record, streams: Arc::clone(self) })
    }

    /// Ends the connections of a run that is over, and forgets their records.
    pub(in crate::lab) fn forget(&self, run: Uuid) {
        let forgotten = self.runs().remove(&run);
        for record in forgotten.into_iter().flat_map(|run| run.records) {
            record.end(EndCause::RunOver, None);
        }
    }

    /// No connection lasts as long as a run.
    pub(in crate::lab) fn forget_expired(&self) {
        self.runs().retain(|_, run| run.since.elapsed() < RUN_LIFE || run.open() > 0);
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<Uuid, RunStreams>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for LabStreams {
    fn invalidated(&self, changes: Changes<'_>) {
        let marked = match changes {
            Changes::Principals(principals) => self.sessions.mark(principals),
            Changes::Everything => self.sessions.mark_all(),
        };
        marked.iter().for_each(|stream| stream.facts.changed.notify_one());
    }
}

/// The lines of an open connection. Dropping it means that the connection is closed.
pub struct LineSource {
    pub(super) record: Arc<StreamRecord>,
    streams: Arc<LabStreams>,
}

impl LineSource {
    pub fn has_sent_one(&self) -> bool {
        self.record.lines() > 0
    }

    /// The number of the next line, or why there is none.
    ///
    /// # Errors
    /// The cause of the end.
    pub fn next_line(&self) -> Result<u32, EndCause> {
        if self.streams.stopping.load(Ordering::SeqCst) {
            self.record.end(EndCause::Stopped, None);
        } else if self.record.is_too_old() {
            self.record.end(EndCause::LifeOver, None);
        }
        match self.record.ending() {
            Some(ending) => Err(ending.cause),
            None => Ok(self.record.count_line()),
        }
    }
}

impl Drop for LineSource {
    fn drop(&mut self) {
        self.streams.open.fetch_sub(1, Ordering::SeqCst);
        let stopping = self.streams.stopping.load(Ordering::SeqCst);
        self.record.end(if stopping { EndCause::Stopped } else { EndCause::ClientLeft }, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(streams: &Arc<LabStreams>, run: u128) -> Result<LineSource, StreamLimit> {
        streams.admit(Uuid::from_u128(run), StreamSide::Token, Moment(0))
    }

    #[test]
    fn a_run_and_an_instance_have_a_limit_of_open_connections() {
        let streams = Arc::<LabStreams>::default();
        let mut open_ones: Vec<LineSource> = (0..MAX_STREAMS)
            .map(|number| open(&streams, (number / MAX_STREAMS_PER_RUN) as u128).ok().unwrap())
            .collect();
        assert_eq!(open(&streams, u128::MAX).err(), Some(StreamLimit::Instance));
        open_ones.pop();
        assert_eq!(open(&streams, 0).err(), Some(StreamLimit::Run));
        assert!(open(&streams, u128::MAX).is_ok());
    }

    #[test]
    fn ended_connections_are_remembered_in_a_bounded_number_and_forgotten_with_their_run() {
        let streams = Arc::<LabStreams>::default();
        for _ in 0..10 * MAX_STREAMS_PER_RUN {
            assert_eq!(open(&streams, 1).ok().unwrap().next_line(), Ok(1));
        }
        let run = Uuid::from_u128(1);
        let left = streams.of_run(run);
        assert_eq!(left.len(), MAX_STREAMS_PER_RUN);
        assert!(
            left.iter().all(|record| record.ending().is_some_and(|end| end.cause == EndCause::ClientLeft))
        );
        streams.forget(run);
        assert!(streams.runs().is_empty());
    }

    #[test]
    fn connections_of_a_forgotten_run_end_and_count_until_they_have() {
        let streams = Arc::<LabStreams>::default();
        let forgotten: Vec<LineSource> = (0..MAX_STREAMS)
            .map(|number| {
                let run = (number / MAX_STREAMS_PER_RUN) as u128;
                let lines = open(&streams, run).ok().unwrap();
                if number % MAX_STREAMS_PER_RUN == MAX_STREAMS_PER_RUN - 1 {
                    streams.forget(Uuid::from_u128(run));
                }
                lines
            })
            .collect();
        assert_eq!(open(&streams, u128::MAX).err(), Some(StreamLimit::Instance));
        assert!(forgotten.iter().all(|lines| lines.next_line() == Err(EndCause::RunOver)));
        drop(forgotten);
        assert!(open(&streams, u128::MAX).is_ok());
    }

    #[test]
    fn a_stopped_instance_sends_no_more_lines() {
        let streams = Arc::<LabStreams>::default();
        let lines = open(&streams, 1).ok().unwrap();
        streams.stop();
        assert_eq!(lines.next_line(), Err(EndCause::Stopped));
    }
}
