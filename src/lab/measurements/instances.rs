//! Instances of the session engine for a measurement.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::db::{Db, Fault, off_thread};
use crate::lab::{Lab, Subject};
use latchkey_sessions::{InvalidationListener, Store};

/// No new round begins after this. With set-up and clean-up a measurement takes at most two seconds while the database
/// answers. It computes on one worker's thread and yields after every check.
pub(super) const TIME_LIMIT: Duration = Duration::from_millis(1300);

/// How long an instance may take until its cache is trusted. After this it does not receive notifications.
const TRUSTED_WITHIN: Duration = Duration::from_secs(1);

/// Cache size of an instance of a measurement: the sessions of its run.
const CACHED_SESSIONS: usize = 64;

/// Instances of the session engine, each with its own cache and listening connection: to each other they are what two
/// servers are. Every revocation on this database waits for them as for any instance, which takes milliseconds. If the
/// process is killed during a measurement, the next revocation waits for their leases once, for half a second.
pub(super) struct Instances {
    sessions: Vec<Store<Subject>>,
    listeners: Vec<InvalidationListener>,
}

impl Instances {
    /// Starts `count` instances, runs `work` once their caches are trusted, and stops them afterwards.
    pub(super) async fn with<T>(
        db: &Db,
        count: usize,
        work: impl AsyncFnOnce(&[Store<Subject>]) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let sessions: Vec<_> = (0..count)
            .map(|_| Store::builder(db.clone()).owner().policy(Lab::policy(CACHED_SESSIONS)).build())
            .collect();
        let listeners = sessions.iter().map(Store::listen).collect();
        let instances = Self { sessions, listeners };
        let answer = match instances.wait_until_trusted().await {
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

    async fn wait_until_trusted(&self) -> Result<(), Fault> {
        let started = Instant::now();
        while !self.sessions.iter().all(Store::has_lease) {
            if started.elapsed() > TRUSTED_WITHIN {
                let why = "the instances of a measurement receive no notifications from the database";
                return Err(Fault::Unavailable(why.into()));
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}
