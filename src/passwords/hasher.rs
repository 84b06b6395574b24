//! The only place where passwords are hashed and verified: off the request threads, a bounded
//! number at once, a bounded queue behind them. For `accounts` operations and the commands.

mod lane;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;

use crate::passwords::{
    Foreign, HashCost, Memory, NotTaken, Password, PasswordHash, Recipe, Target, Unmakeable, UnsuitableCost,
};
use latchkey_db::counters::Counter;

use lane::Lane;

/// When to come back after [`Busy`]: a full queue has drained by then.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What is hashed in place of a password too long to be one.
const NO_PASSWORD: &[u8] = b"";

/// Hashes and verifies passwords with Argon2id (ASVS 5.0 11.4.2). Cloning gives a second handle
/// on the same permits and queues. Drop a waiting future and its place in the queue is free;
/// a hash that has begun keeps its permit until it ends, whoever still wants it.
#[derive(Clone)]
pub struct Hasher {
    cost: HashCost,
    dummy: Recipe,
    /// For hashes at today's cost and at older costs of ours.
    own: Lane,
    /// For hashes that other software made, which may cost many times ours. They have half as many permits, and none
    /// of the others: however many of them are asked for, a log-in with a hash of ours does not wait for them.
    legacy: Lane,
    pub(crate) refused: Arc<HashesRefused>,
    memory: Arc<Memory>,
}

/// What came of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether this password made this hash. Nothing else ever admits anyone.
    pub matches: bool,
    /// It matches, and a hash made today would be made differently: hash the password anew.
    pub outdated: bool,
    /// The stored hash cannot be read, which no password can change: log it as a fault.
    pub unreadable: bool,
    /// The stored hash was imported by a version that accepted costlier ones. It is not computed, so the password
    /// opens nothing: its owner has to reset it.
    pub too_costly: bool,
}

impl Verdict {
    const NO: Self = Self { matches: false, outdated: false, unreadable: false, too_costly: false };
}

/// How busy a [`Hasher`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Hashes being worked out.
    pub running: usize,
    /// Callers in the queue.
    pub waiting: usize,
}

/// Callers turned away as [`Busy`].
#[derive(Default)]
pub struct HashesRefused {
    /// The queue had no place.
    pub full: Counter,
    /// Their turn did not come in time.
    pub slow: Counter,
}

/// Too many hashes at once, or (logged) a hash that could not be made: answer 503 with
/// `Retry-After`. Nobody is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// When to try again.
    pub retry_after: Duration,
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too many log-ins at once, try again in {} seconds", self.retry_after.as_secs())
    }
}

impl std::error::Error for Busy {}

const BUSY: Busy = Busy { retry_after: RETRY_AFTER };

impl Hasher {
    /// * `cost`: what a hash costs from now on; older hashes are still verified at theirs.
    /// * `permits`: hashes that run at once, see [`permits_for`]; at least one.
    /// * `queue`: callers that wait beyond those; the next one gets [`Busy`] at once. Hashes that other software made
    ///   have a queue of this length for themselves.
    ///
    /// # Errors
    /// [`UnsuitableCost`] if Argon2id cannot have this cost.
    ///
    /// [`permits_for`]: super::password::permits_for
    pub fn new(cost: HashCost, permits: usize, queue: usize) -> Result<Self, UnsuitableCost> {
        let dummy = Recipe::dummy(&cost).map_err(|_| UnsuitableCost(cost))?;
        Ok(Self {
            cost,
            own: Lane::new(permits, queue),
            legacy: Lane::new(legacy_permits(permits), queue),
            refused: Arc::default(),
            memory: Arc::new(Memory::for_recipe(&dummy)),
            dummy,
        })
    }

    /// Hashes a password with a new salt at today's cost.
    ///
    /// # Errors
    /// [`Busy`] if the queue is full or the turn does not come within five seconds.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, Busy> {
        let (cost, memory) = (self.cost, Arc::clone(&self.memory));
        let made = self.in_turn(&self.own, 1, move || {
            let recipe = Recipe::fresh(&cost)?;
            let output = memory.lend(recipe.blocks(), |blocks| recipe.derive(password.expose(), blocks))?;
            recipe.phc(&output)
        });
        made.await?.map_err(|_| fault("no hash could be made"))
    }

    /// Compares a password with a stored hash in constant time.
    ///
    /// * `given`: [`Password::given`]; `None` is a no.
    /// * `stored`: the user's hash; `None` (no such user, or no password set) is a no.
    ///
    /// A no without a user or a password takes as long as one with both: a hash at today's cost
    /// is worked out and dismissed (ASVS 5.0 6.3.8). So does one with a stored hash that is unreadable or too costly.
    ///
    /// # Errors
    /// [`Busy`] as for [`Hasher::hash`].
    pub async fn verify(
        &self,
        given: Option<Password>,
        stored: Option<&PasswordHash>,
    ) -> Result<Verdict, Busy> {
        let target = stored.and_then(Target::read);
        let why = match stored.filter(|_| target.is_none()).map(|hash| Foreign::read(hash.as_str())) {
            Some(Ok(foreign)) => return self.verify_foreign(given, foreign).await,
            Some(Err(why)) => Some(why),
            None => None,
        };
        let too_costly = matches!(why, Some(NotTaken::TooCostly(_)));
        let unreadable = why.is_some() && !too_costly;
        let outdated = target.as_ref().is_some_and(|target| target.is_outdated(&self.cost));
        let (dummy, memory) = (self.dummy.clone(), Arc::clone(&self.memory));
        let compared = self.in_turn(&self.own, 1, move || {
            let recipe = target.as_ref().map_or(&dummy, |target| &target.recipe);
            let secret = given.as_ref().map_or(NO_PASSWORD, Password::expose);
            let output = memory.lend(recipe.blocks(), |blocks| recipe.derive(secret, blocks))?;
            let same = target.as_ref().is_some_and(|target| target.expected.as_bytes().ct_eq(&output).into());
            Ok::<_, Unmakeable>(same && given.is_some())
        });
        let matches = compared.await?.map_err(|_| fault("no hash could be compared"))?;
        Ok(Verdict { matches, outdated: matches && outdated, unreadable, too_costly })
    }

    /// For an address nobody has: as [`Hasher::verify`] against a hash of somebody's, and always a no. So whoever moved
    /// in with hashes that take another time than ours cannot be told from nobody by it.
    ///
    /// # Errors
    /// [`Busy`] as for [`Hasher::hash`].
    pub async fn dismiss(
        &self,
        given: Option<Password>,
        stand_in: Option<&PasswordHash>,
    ) -> Result<Verdict, Busy> {
        self.verify(given, stand_in).await?;
        Ok(Verdict::NO)
    }

    /// The same for a hash that came from elsewhere, made as it was made there; hash the password anew if it matches.
    async fn verify_foreign(&self, given: Option<Password>, foreign: Foreign) -> Result<Verdict, Busy> {
        // The permits were counted for the memory that a hash of ours takes: one that takes more runs alone.
        let large = foreign.memory_kib() > u64::from(self.cost.memory_kib);
        let permits = if large { self.legacy.size() } else { 1 };
        let compared = self.in_turn(&self.legacy, permits, move || {
            let secret = given.as_ref().map_or(NO_PASSWORD, Password::expose_typed);
            Ok::<_, Unmakeable>(foreign.matches(secret)? && given.is_some())
        });
        let matches = compared.await?.map_err(|_| fault("no foreign hash could be compared"))?;
        Ok(Verdict { matches, outdated: matches, ..Verdict::NO })
    }

    /// How busy it is now, for the metrics.
    pub fn load(&self) -> Load {
        let lanes = [&self.own, &self.legacy];
        Load {
            running: lanes.iter().map(|lane| lane.running()).sum(),
            waiting: lanes.iter().map(|lane| lane.waiting()).sum(),
        }
    }

    /// Waits for so many permits of `lane`, then runs `work`, which takes them along: a request that is
    /// dropped midway cannot let one hash too many start.
    async fn in_turn<T: Send + 'static>(
        &self,
        lane: &Lane,
        permits: u32,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let permit = lane.acquire(permits, &self.refused).await?;
        let job = move || {
            let done = work();
            drop(permit);
            done
        };
        off_thread(job).await.ok_or_else(|| fault("a hash was given up by its thread"))
    }
}

/// Permits for hashes that other software made, beside `own` permits for ours.
pub const fn legacy_permits(own: usize) -> usize {
    if own < 2 { 1 } else { own / 2 }
}

/// Runs `work` on the blocking pool; none if it panicked there. A panic is no verdict.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    crate::db::off_thread(move || Ok(work())).await.ok()
}

/// Nothing a caller can help: logged here, and closed like a full queue.
fn fault(what: &'static str) -> Busy {
    tracing::error!(what, "password hashing failed");
    BUSY
}

#[cfg(test)]
mod tests;
