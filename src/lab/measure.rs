//! What the stopwatch and the cost share: one measurement at a time, its last result kept, and a run of its own that
//! is deleted whatever happens. Called by the two of them, and so by `/compare` and the command line.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::rt;
use tokio::time::sleep;

use super::{Cost, Lab, Run, Stopwatch, Subject, Visit, queries};
use crate::db::{Db, Fault, off_thread};
use crate::secret::Token;
use latchkey_sessions::{InvalidationListener, Login, Store};

/// No new round begins after this. With start and end a measurement takes two seconds at most while the database
/// answers, and it computes on one worker's thread only, which it shares after every single question.
pub const AT_MOST: Duration = Duration::from_millis(1300);

/// A result is not measured anew before this: however many people press, at most a tenth of one core goes into it.
const REST: Duration = Duration::from_secs(60);

/// Whoever finds another measurement running, and nothing to show meanwhile, is asked to wait for so many seconds.
const COME_BACK: u64 = 3;

/// Instances that are not trusted after this do not hear what is announced.
const TRUSTED_WITHIN: Duration = Duration::from_secs(1);

/// Sessions that an instance of a measurement keeps in memory: those of its run, and no more.
const CACHED: usize = 64;

/// The last results of this process.
#[derive(Default)]
pub struct Results {
    running: AtomicBool,
    stopwatch: Last<Stopwatch>,
    cost: Last<Cost>,
}

/// Nobody else measures while this lives.
struct Turn(Arc<Results>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Release);
    }
}

fn take_turn(results: &Arc<Results>) -> Option<Turn> {
    let free = results.running.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire).is_ok();
    free.then(|| Turn(Arc::clone(results)))
}

/// What was measured last, and when.
struct Last<T> {
    result: Mutex<Option<(Arc<T>, Instant)>>,
    /// Also of one that failed: it is not tried again at once.
    begun: Mutex<Option<Instant>>,
}

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self { result: Mutex::new(None), begun: Mutex::new(None) }
    }
}

impl<T> Last<T> {
    fn get(&self) -> Option<(Arc<T>, Instant)> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, result: T) {
        let kept = Some((Arc::new(result), Instant::now()));
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    fn is_fresh(&self) -> bool {
        self.get().is_some_and(|(_, at)| at.elapsed() < REST)
    }

    /// Whether it may be tried; notes that it is.
    fn begin(&self) -> bool {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let may = begun.is_none_or(|at| at.elapsed() >= Duration::from_secs(COME_BACK));
        if may {
            *begun = Some(Instant::now());
        }
        may
    }
}

/// What comes of asking for a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// There is a result to show, just measured or not long ago.
    Shown,
    /// Something is being measured, and there is no result yet: come back in so many seconds.
    Later(u64),
}

impl Lab {
    pub fn last_stopwatch(&self) -> Option<(Arc<Stopwatch>, Instant)> {
        self.results.stopwatch.get()
    }

    pub fn last_cost(&self) -> Option<(Arc<Cost>, Instant)> {
        self.results.cost.get()
    }

    /// Measures how long a revocation takes, unless that was done just now.
    ///
    /// # Errors
    /// Any [`Fault`] of the database; the last result stays.
    pub async fn ask_stopwatch(&self) -> Result<Asked, Fault> {
        let lab = self.clone();
        self.ask_for(&self.results.stopwatch, async move {
            lab.results.stopwatch.keep(lab.time_revocations().await?);
            Ok(())
        })
        .await
    }

    /// Measures what each side costs, unless that was done just now.
    ///
    /// # Errors
    /// Any [`Fault`] of the database; the last result stays.
    pub async fn ask_cost(&self) -> Result<Asked, Fault> {
        let lab = self.clone();
        self.ask_for(&self.results.cost, async move {
            lab.results.cost.keep(lab.weigh().await?);
            Ok(())
        })
        .await
    }

    async fn ask_for<T>(
        &self,
        last: &Last<T>,
        measurement: impl Future<Output = Result<(), Fault>> + 'static,
    ) -> Result<Asked, Fault> {
        let Some(turn) = take_turn(&self.results) else {
            return Ok(if last.get().is_some() { Asked::Shown } else { Asked::Later(COME_BACK) });
        };
        if last.is_fresh() {
            return Ok(Asked::Shown);
        }
        if !last.begin() {
            return Ok(Asked::Later(COME_BACK));
        }
        // A task of its own: whoever asked may go away, and what was begun is put away nevertheless.
        let measured = rt::spawn(async move {
            let _turn = turn;
            measurement.await
        });
        measured.await.map_err(Fault::bug)??;
        Ok(Asked::Shown)
    }

    /// Opens a run for a measurement and deletes it afterwards, whatever came of it.
    pub(super) async fn with_run<T>(
        &self,
        work: impl AsyncFnOnce(&Run) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        // Nobody is handed this key: the run is found by its id.
        let hash = Token::generate()?.hash();
        let run = self.db.write(move |conn| queries::insert(conn, &hash, MEASUREMENT)).await?;
        let answer = work(&run).await;
        let id = run.id;
        let ended = self.db.write(move |conn| queries::delete(conn, id)).await;
        let value = answer?;
        ended?;
        Ok(value)
    }

    pub(super) fn login_of(&self, run: &Run) -> Login {
        Visit::default().login(run, MEASUREMENT)
    }
}

/// Instead of a network: whose run this is.
const MEASUREMENT: &str = "measurement";

/// Instances of the engine, each with memory and a listening connection of its own: to each other they are what two
/// servers are. Every revocation on this database waits for them as for any instance, which takes milliseconds. Should
/// the process be killed meanwhile, the next revocation waits for them once, for the half second of a lease.
pub struct Instances {
    pub sessions: Vec<Store<Subject>>,
    listeners: Vec<InvalidationListener>,
}

impl Instances {
    /// Starts `count` of them and runs `work` on them when they serve from memory. They stop afterwards.
    pub async fn with<T>(
        db: &Db,
        count: usize,
        work: impl AsyncFnOnce(&[Store<Subject>]) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let sessions: Vec<_> = (0..count)
            .map(|_| Store::builder(db.clone()).owner().policy(Lab::policy(CACHED)).build())
            .collect();
        let listeners = sessions.iter().map(Store::listen).collect();
        let instances = Self { sessions, listeners };
        let answer = match instances.trusted().await {
            Ok(()) => work(&instances.sessions).await,
            Err(fault) => Err(fault),
        };
        let listeners = instances.listeners;
        off_thread(move || {
            listeners.into_iter().for_each(InvalidationListener::stop);
            Ok(())
        })
        .await?;
        answer
    }

    async fn trusted(&self) -> Result<(), Fault> {
        let begun = Instant::now();
        while !self.sessions.iter().all(Store::has_lease) {
            if begun.elapsed() > TRUSTED_WITHIN {
                let why = "the instances of a measurement do not hear what the database announces";
                return Err(Fault::Unavailable(why.into()));
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}
