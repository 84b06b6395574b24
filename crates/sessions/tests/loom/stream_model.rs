//! A stream is opened, cleared and written while its session is revoked: after the answer to the revocation, nothing is
//! being written.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use latchkey_db::time::Moment;
use latchkey_sessions::Principal;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use uuid::Uuid;

use crate::Model;
use crate::streams::{ActiveStream, Direction, OpenStream, Streams};

/// A step that is left out or in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    None,
    /// The session is looked up before the stream is opened, and not again.
    NoSecondLookup,
    /// The generation is taken after the lookup.
    GenerationAfterLookup,
    /// The change is announced before it is made.
    MarkedBeforeChange,
}

const USER: Principal = Principal(Uuid::from_u128(7));
const NOW: Moment = Moment(0);
const LATER: Moment = Moment(1);

/// The session and what its revocation has reached.
#[derive(Default)]
struct Session {
    revoked: AtomicBool,
    answered: AtomicBool,
}

impl Session {
    fn is_live(&self) -> bool {
        !self.revoked.load(Ordering::SeqCst)
    }

    fn revoke(&self, streams: &Streams<()>, mistake: Mistake) {
        if mistake == Mistake::MarkedBeforeChange {
            streams.mark(&[USER]);
            self.revoked.store(true, Ordering::SeqCst);
        } else {
            self.revoked.store(true, Ordering::SeqCst);
            streams.mark(&[USER]);
        }
        self.answered.store(true, Ordering::SeqCst);
    }

    /// Opens a stream as a request does. `None` if the session has ended.
    fn open(&self, streams: &Arc<Streams<()>>, mistake: Mistake) -> Option<OpenStream<()>> {
        if !self.is_live() {
            return None;
        }
        let stream = streams.open(Some(USER), ());
        self.look_again(&stream, mistake).then_some(stream)
    }

    fn look_again(&self, stream: &ActiveStream<()>, mistake: Mistake) -> bool {
        let mut generation = stream.generation();
        if mistake != Mistake::NoSecondLookup && !self.is_live() {
            return false;
        }
        if mistake == Mistake::GenerationAfterLookup {
            generation = stream.generation();
        }
        stream.clear(generation, LATER);
        true
    }

    /// Writes once if that is permitted.
    fn write(&self, stream: &ActiveStream<()>) {
        let context = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(_permit)) = stream.poll_permit(Direction::Down, Some(NOW), &context) {
            assert!(!self.answered.load(Ordering::SeqCst), "written after the answer");
        }
    }
}

/// A request opens a stream and writes, while its session is revoked.
pub fn open_and_revoke(mistake: Mistake) -> Model {
    Box::new(move || {
        let (streams, session) = (Arc::new(Streams::default()), Arc::new(Session::default()));
        let request = {
            let (streams, session) = (Arc::clone(&streams), Arc::clone(&session));
            thread::spawn(move || {
                if let Some(stream) = session.open(&streams, mistake) {
                    session.write(&stream);
                }
            })
        };
        session.revoke(&streams, mistake);
        request.join().expect("no panic");
    })
}

/// A running stream is marked by a change elsewhere and decided again, while its session is revoked.
pub fn recheck_and_revoke(mistake: Mistake) -> Model {
    Box::new(move || {
        let (streams, session) = (Arc::new(Streams::default()), Arc::new(Session::default()));
        let Some(stream) = session.open(&streams, Mistake::None) else { return };
        // A log-in elsewhere.
        streams.mark(&[USER]);
        let running = Arc::clone(&stream);
        let recheck = {
            let session = Arc::clone(&session);
            thread::spawn(move || {
                if session.look_again(&running, mistake) {
                    session.write(&running);
                }
            })
        };
        session.revoke(&streams, mistake);
        recheck.join().expect("no panic");
    })
}

/// One task writes to the client and one to the app, while the session is revoked.
pub fn both_directions_and_revoke() -> Model {
    Box::new(move || {
        let (streams, session) = (Arc::new(Streams::default()), Arc::new(Session::default()));
        let Some(stream) = session.open(&streams, Mistake::None) else { return };
        let running = Arc::clone(&stream);
        let other = {
            let session = Arc::clone(&session);
            thread::spawn(move || session.write(&running))
        };
        let revoking = {
            let (streams, session) = (Arc::clone(&streams), Arc::clone(&session));
            thread::spawn(move || session.revoke(&streams, Mistake::None))
        };
        session.write(&stream);
        other.join().expect("no panic");
        revoking.join().expect("no panic");
    })
}
