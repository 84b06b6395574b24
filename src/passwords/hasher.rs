//! Hashes and verifies passwords, off the request threads: a bounded number at once, and a bounded queue of callers.

mod busy;
mod queue;

use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::passwords::{
    Argon2Params, HashCost, HashingFailed, LegacyHash, LegacyHashError, MemoryPool, ParsedHash, Password,
    PasswordHash, UnsuitableCost,
};
pub use busy::{HasherBusy, HashesRefused};

use busy::BUSY;
use queue::HashQueue;

/// Hashed in place of a password that is too long.
const NO_PASSWORD: &[u8] = b"";

/// Hashes and verifies passwords with Argon2id (ASVS 5.0 11.4.2). Cloning shares permits and queues. Dropping a future
/// that waits frees its place in the queue; a hash that has started keeps its permit until it ends.
#[derive(Clone)]
pub struct Hasher {
    cost: HashCost,
    dummy: Argon2Params,
    /// For hashes that Latchkey made, at the current cost or an older one.
    own: HashQueue,
    /// For hashes that other software made, which may cost many times as much. They have half as many permits of their
    /// own, so that log-ins with Latchkey's own hashes never wait for them.
    legacy: HashQueue,
    pub(crate) refused: Arc<HashesRefused>,
    memory: Arc<MemoryPool>,
}

/// The result of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Whether this is the password of this hash. Only this admits a user.
    pub matches: bool,
    /// It matches, but the cost has changed since: hash the password again.
    pub outdated: bool,
    /// The stored hash cannot be read, so no password matches: log it as a fault.
    pub unreadable: bool,
    /// The stored hash exceeds the accepted cost; an earlier version imported it. It is not computed, so the user has to
    /// reset the password.
    pub too_costly: bool,
}

impl Verification {
    const NO: Self = Self { matches: false, outdated: false, unreadable: false, too_costly: false };
}

/// How busy a [`Hasher`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasherLoad {
    /// Hashes being computed.
    pub running: usize,
    /// Callers in the queues.
    pub waiting: usize,
}

impl Hasher {
    /// * `cost`: the cost of new hashes; existing hashes are verified at their own.
    /// * `permits`: how many hashes run at once, at least one; see [`permits_for`].
    /// * `queue`: how many callers may wait for a permit; the next one gets [`HasherBusy`] at once. Hashes that other
    ///   software made have another queue of this length.
    ///
    /// # Errors
    /// [`UnsuitableCost`] if Argon2id cannot have this cost.
    ///
    /// [`permits_for`]: crate::passwords::permits_for
    pub fn new(cost: HashCost, permits: usize, queue: usize) -> Result<Self, UnsuitableCost> {
        let dummy = Argon2Params::dummy(&cost).map_err(|_| UnsuitableCost(cost))?;
        Ok(Self {
            cost,
            own: HashQueue::new(permits, queue),
            legacy: HashQueue::new(legacy_permits(permits), queue),
            refused: Arc::default(),
            memory: Arc::new(MemoryPool::for_params(&dummy)),
            dummy,
        })
    }

    /// Hashes a password with a new salt at the current cost.
    ///
    /// # Errors
    /// [`HasherBusy`] if the queue is full or no permit is free within five seconds.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, HasherBusy> {
        let (cost, memory) = (self.cost, Arc::clone(&self.memory));
        let made = self.with_permits(&self.own, 1, move || {
            let params = Argon2Params::fresh(&cost)?;
            let output = memory.lend(params.blocks(), |blocks| params.derive(password.expose(), blocks))?;
            params.phc(&output)
        });
        made.await?.map_err(|_| fault("could not compute a new hash"))
    }

    /// Compares a password with a stored hash in constant time.
    ///
    /// * `given`: see [`Password::given`]; `None` never matches.
    /// * `stored`: the user's hash; `None` (no such user, or no password set) never matches.
    ///
    /// Without `given` or a readable `stored`, a hash at the current cost is computed and discarded, so that a rejection
    /// always takes the same time (ASVS 5.0 6.3.8).
    ///
    /// # Errors
    /// [`HasherBusy`] as for [`Hasher::hash`].
    pub async fn verify(
        &self,
        given: Option<Password>,
        stored: Option<&PasswordHash>,
    ) -> Result<Verification, HasherBusy> {
        let target = stored.and_then(ParsedHash::read);
        let why = match stored.filter(|_| target.is_none()).map(|hash| LegacyHash::read(hash.as_str())) {
            Some(Ok(legacy)) => return self.verify_legacy(given, legacy).await,
            Some(Err(why)) => Some(why),
            None => None,
        };
        let too_costly = matches!(why, Some(LegacyHashError::TooCostly(_)));
        let unreadable = why.is_some() && !too_costly;
        let outdated = target.as_ref().is_some_and(|target| target.is_outdated(&self.cost));
        let (dummy, memory) = (self.dummy.clone(), Arc::clone(&self.memory));
        let compared = self.with_permits(&self.own, 1, move || {
            let params = target.as_ref().map_or(&dummy, |target| &target.params);
            let secret = given.as_ref().map_or(NO_PASSWORD, Password::expose);
            let output = memory.lend(params.blocks(), |blocks| params.derive(secret, blocks))?;
            let same = target.as_ref().is_some_and(|target| target.expected.as_bytes().ct_eq(&output).into());
            Ok::<_, HashingFailed>(same && given.is_some())
        });
        let matches = compared.await?.map_err(|_| fault("could not compute the hash to compare"))?;
        Ok(Verification { matches, outdated: matches && outdated, unreadable, too_costly })
    }

    /// Rejects an attempt at an account that does not exist, in the time that one at an existing account takes.
    ///
    /// * `stand_in`: the hash of another user, as a decoy: imported hashes take another time, so the decoys have to be as
    ///   varied as the accounts.
    ///
    /// # Errors
    /// [`HasherBusy`] as for [`Hasher::hash`].
    pub async fn reject(
        &self,
        given: Option<Password>,
        stand_in: Option<&PasswordHash>,
    ) -> Result<Verification, HasherBusy> {
        self.verify(given, stand_in).await?;
        Ok(Verification::NO)
    }

    /// Verifies a hash that other software made. If it matches, the password has to be hashed again.
    async fn verify_legacy(
        &self,
        given: Option<Password>,
        legacy: LegacyHash,
    ) -> Result<Verification, HasherBusy> {
        // The permits assume the memory of one of Latchkey's hashes: one that needs more runs alone.
        let large = legacy.memory_kib() > u64::from(self.cost.memory_kib);
        let permits = if large { self.legacy.size() } else { 1 };
        let compared = self.with_permits(&self.legacy, permits, move || {
            let secret = given.as_ref().map_or(NO_PASSWORD, Password::expose_typed);
            Ok::<_, HashingFailed>(legacy.matches(secret)? && given.is_some())
        });
        let matches = compared.await?.map_err(|_| fault("could not compute the imported hash to compare"))?;
        Ok(Verification { matches, outdated: matches, ..Verification::NO })
    }

    /// How busy the hasher is now, for the metrics.
    pub fn load(&self) -> HasherLoad {
        let queues = [&self.own, &self.legacy];
        HasherLoad {
            running: queues.iter().map(|queue| queue.running()).sum(),
            waiting: queues.iter().map(|queue| queue.waiting()).sum(),
        }
    }

    /// Waits for permits of `queue`, then runs `work`. The permits move into the job, so that a request dropped midway does
    /// not free them while its hash still runs.
    async fn with_permits<T: Send + 'static>(
        &self,
        queue: &HashQueue,
        permits: u32,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HasherBusy> {
        let permit = queue.acquire(permits, &self.refused).await?;
        let job = move || {
            let done = work();
            drop(permit);
            done
        };
        off_thread(job).await.ok_or_else(|| fault("the hashing thread panicked"))
    }
}

/// Permits for hashes that other software made, given `own` permits for Latchkey's.
pub const fn legacy_permits(own: usize) -> usize {
    if own < 2 { 1 } else { own / 2 }
}

/// Runs `work` on the blocking pool; `None` if it panicked, which decides nothing about the password.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    crate::db::off_thread(move || Ok(work())).await.ok()
}

/// An internal failure: logs it and answers as for a full queue.
fn fault(what: &'static str) -> HasherBusy {
    tracing::error!(what, "password hashing failed");
    BUSY
}

#[cfg(test)]
mod tests;
