//! The only place where passwords are hashed and verified: off the request threads, a bounded
//! number at once, a bounded queue behind them. For `accounts` operations and the commands.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::password::{
    Foreign, HashCost, Memory, Password, PasswordHash, Recipe, Target, Unmakeable, UnsuitableCost,
};
use crate::counters::Counter;

/// How long a caller waits for its turn: past this a person has pressed the button again.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// When to come back after [`Busy`]: a full queue has drained by then.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What is hashed in place of a password too long to be one.
const NO_PASSWORD: &[u8] = b"";

/// Hashes and verifies passwords with Argon2id (ASVS 5.0 11.4.2). Cloning gives a second handle
/// on the same permits and queue. Drop a waiting future and its place in the queue is free;
/// a hash that has begun keeps its permit until it ends, whoever still wants it.
#[derive(Clone)]
pub struct Hasher {
    cost: HashCost,
    dummy: Recipe,
    permits: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// Permits and places in the queue that exist, taken or not.
    sizes: (usize, usize),
    pub(super) refused: Arc<HashesRefused>,
    memory: Arc<Memory>,
    /// Held while a hash of other software's is worked out that takes more memory than the permits were counted for.
    foreign: Arc<Mutex<()>>,
    max_wait: Duration,
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
    /// * `queue`: callers that wait beyond those; the next one gets [`Busy`] at once.
    ///
    /// # Errors
    /// [`UnsuitableCost`] if Argon2id cannot have this cost.
    ///
    /// [`permits_for`]: super::password::permits_for
    pub fn new(cost: HashCost, permits: usize, queue: usize) -> Result<Self, UnsuitableCost> {
        let (permits, queue) = (permits.clamp(1, Semaphore::MAX_PERMITS), queue.min(Semaphore::MAX_PERMITS));
        let dummy = Recipe::dummy(&cost).map_err(|_| UnsuitableCost(cost))?;
        Ok(Self {
            cost,
            permits: Arc::new(Semaphore::new(permits)),
            queue: Arc::new(Semaphore::new(queue)),
            sizes: (permits, queue),
            refused: Arc::default(),
            memory: Arc::new(Memory::for_recipe(&dummy)),
            foreign: Arc::default(),
            dummy,
            max_wait: MAX_WAIT,
        })
    }

    /// Hashes a password with a new salt at today's cost.
    ///
    /// # Errors
    /// [`Busy`] if the queue is full or the turn does not come within five seconds.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, Busy> {
        let (cost, memory) = (self.cost, Arc::clone(&self.memory));
        let made = self.in_turn(move || {
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
    /// is worked out and dismissed (ASVS 5.0 6.3.8). So does one with an unreadable stored hash.
    ///
    /// # Errors
    /// [`Busy`] as for [`Hasher::hash`].
    pub async fn verify(
        &self,
        given: Option<Password>,
        stored: Option<&PasswordHash>,
    ) -> Result<Verdict, Busy> {
        let target = stored.and_then(Target::read);
        let foreign = stored.filter(|_| target.is_none()).and_then(|hash| Foreign::read(hash.as_str()).ok());
        if let Some(foreign) = foreign {
            return self.verify_foreign(given, foreign).await;
        }
        let unreadable = stored.is_some() && target.is_none();
        let outdated = target.as_ref().is_some_and(|target| target.is_outdated(&self.cost));
        let (dummy, memory) = (self.dummy.clone(), Arc::clone(&self.memory));
        let compared = self.in_turn(move || {
            let recipe = target.as_ref().map_or(&dummy, |target| &target.recipe);
            let secret = given.as_ref().map_or(NO_PASSWORD, Password::expose);
            let output = memory.lend(recipe.blocks(), |blocks| recipe.derive(secret, blocks))?;
            let same = target.as_ref().is_some_and(|target| target.expected.as_bytes().ct_eq(&output).into());
            Ok::<_, Unmakeable>(same && given.is_some())
        });
        let matches = compared.await?.map_err(|_| fault("no hash could be compared"))?;
        Ok(Verdict { matches, outdated: matches && outdated, unreadable })
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
        Ok(Verdict { matches: false, outdated: false, unreadable: false })
    }

    /// The same for a hash that came from elsewhere, made as it was made there; hash the password anew if it matches.
    async fn verify_foreign(&self, given: Option<Password>, foreign: Foreign) -> Result<Verdict, Busy> {
        let one_at_a_time = Arc::clone(&self.foreign);
        let large = foreign.memory_kib() > u64::from(self.cost.memory_kib);
        let compared = self.in_turn(move || {
            let _turn = large.then(|| one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner));
            let secret = given.as_ref().map_or(NO_PASSWORD, Password::expose_typed);
            Ok::<_, Unmakeable>(foreign.matches(secret)? && given.is_some())
        });
        let matches = compared.await?.map_err(|_| fault("no foreign hash could be compared"))?;
        Ok(Verdict { matches, outdated: matches, unreadable: false })
    }

    /// How busy it is now, for the metrics.
    pub fn load(&self) -> Load {
        Load {
            running: self.sizes.0.saturating_sub(self.permits.available_permits()),
            waiting: self.sizes.1.saturating_sub(self.queue.available_permits()),
        }
    }

    /// Waits for a permit, then runs `work`, which takes the permit along: a request that is
    /// dropped midway cannot let one hash too many start.
    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let permit = self.permit().await?;
        let job = move || {
            let done = work();
            drop(permit);
            done
        };
        off_thread(job).await.ok_or_else(|| fault("a hash was given up by its thread"))
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Busy> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _place = self.queue.try_acquire().inspect_err(|_| self.refused.full.count()).map_err(|_| BUSY)?;
        let turn = Arc::clone(&self.permits).acquire_owned();
        let turn = tokio::time::timeout(self.max_wait, turn).await.inspect_err(|_| self.refused.slow.count());
        turn.map_err(|_| BUSY)?.map_err(|_| BUSY)
    }
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
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    const CHEAP: HashCost = HashCost { memory_kib: 64, iterations: 1, parallelism: 1 };
    const NO: Verdict = Verdict { matches: false, outdated: false, unreadable: false };
    const YES: Verdict = Verdict { matches: true, outdated: false, unreadable: false };

    fn hasher(permits: usize, queue: usize) -> Hasher {
        Hasher::new(CHEAP, permits, queue).unwrap()
    }

    fn given(raw: &str) -> Option<Password> {
        Password::given(raw)
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[actix_web::test]
    async fn a_password_matches_its_own_hash_and_no_other_does() {
        let hasher = hasher(1, 1);
        let stored = hasher.hash(given("caf\u{e9} olive tins").unwrap()).await.unwrap();
        assert!(stored.as_str().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert_eq!(hasher.verify(given("cafe\u{301} olive tins"), Some(&stored)).await, Ok(YES));
        for wrong in ["cafe olive tins", "Caf\u{e9} olive tins", "caf\u{e9} olive tins ", ""] {
            assert_eq!(hasher.verify(given(wrong), Some(&stored)).await, Ok(NO), "{wrong}");
        }
    }

    #[actix_web::test]
    async fn the_same_password_never_hashes_alike_twice() {
        let hasher = hasher(1, 1);
        let password = given("gravel otter lemon").unwrap();
        let (one, two) = (hasher.hash(password.share()).await.unwrap(), hasher.hash(password).await.unwrap());
        assert!(one.as_str() != two.as_str());
    }

    #[actix_web::test]
    async fn an_unknown_user_and_a_missing_password_are_a_no() {
        let hasher = hasher(1, 1);
        let empty = hasher.hash(given("").unwrap()).await.unwrap();
        assert_eq!(hasher.verify(given("gravel otter lemon"), None).await, Ok(NO));
        assert_eq!(hasher.verify(None, Some(&empty)).await, Ok(NO));
        assert_eq!(hasher.verify(None, None).await, Ok(NO));
    }

    #[actix_web::test]
    async fn a_hash_of_another_cost_matches_and_is_called_outdated() {
        let today = hasher(1, 1);
        for (memory_kib, iterations) in [(32, 1), (128, 1), (64, 2)] {
            let then = Hasher::new(HashCost { memory_kib, iterations, parallelism: 1 }, 1, 1).unwrap();
            let stored = then.hash(given("gravel otter lemon").unwrap()).await.unwrap();
            let verdict = today.verify(given("gravel otter lemon"), Some(&stored)).await;
            assert_eq!(verdict, Ok(Verdict { outdated: true, ..YES }));
            assert_eq!(today.verify(given("lemon otter gravel"), Some(&stored)).await, Ok(NO));
        }
    }

    #[actix_web::test]
    async fn an_unreadable_hash_denies_and_says_so() {
        let hasher = hasher(1, 1);
        for broken in [
            "",
            "$",
            "plain text",
            "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$2b$31$yg6qd2J5YKpN4ulo14FAFuoBVTA0x65j4xMMV2movD4uQgdKZrRe2",
            "pbkdf2_sha256$4000000000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ] {
            let verdict = hasher.verify(given(broken), Some(&PasswordHash::stored(broken))).await;
            assert_eq!(verdict, Ok(Verdict { unreadable: true, ..NO }), "{broken}");
        }
    }

    #[actix_web::test]
    async fn a_hash_from_elsewhere_matches_and_is_outdated_and_a_stand_in_never_matches() {
        let hasher = hasher(1, 1);
        let foreign = PasswordHash::stored("$2b$04$eHOsBNH0xRmWfH0YmxS8MeA/HmBP9cHbo8qvGRqTZQH/7e8RJPYiO");
        let outdated = Verdict { outdated: true, ..YES };
        assert_eq!(hasher.verify(given("tr0ub4dor&3"), Some(&foreign)).await, Ok(outdated));
        assert_eq!(hasher.verify(given("tr0ub4dor&4"), Some(&foreign)).await, Ok(NO));
        assert_eq!(hasher.verify(None, Some(&foreign)).await, Ok(NO));
        assert_eq!(hasher.dismiss(given("tr0ub4dor&3"), Some(&foreign)).await, Ok(NO));
        assert_eq!(hasher.dismiss(given("tr0ub4dor&3"), None).await, Ok(NO));
    }

    #[actix_web::test]
    async fn the_caller_after_a_full_queue_is_turned_away_at_once() {
        let hasher = hasher(1, 2);
        let running = hasher.permit().await.unwrap();
        let mut second = pin!(hasher.verify(None, None));
        let mut third = pin!(hasher.verify(None, None));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        assert_eq!(hasher.load(), Load { running: 1, waiting: 2 });
        assert_eq!(poll(pin!(hasher.verify(None, None))), Poll::Ready(Err(BUSY)));
        assert_eq!((hasher.refused.full.get(), hasher.refused.slow.get()), (1, 0));
        drop(running);
        assert_eq!((second.await, third.await), (Ok(NO), Ok(NO)));
        assert_eq!(hasher.load(), Load { running: 0, waiting: 0 });
    }

    #[actix_web::test]
    async fn whoever_stops_waiting_leaves_the_queue() {
        let hasher = hasher(1, 1);
        let _running = hasher.permit().await.unwrap();
        {
            let mut leaving = pin!(hasher.verify(None, None));
            assert!(poll(leaving.as_mut()).is_pending());
            assert_eq!(poll(pin!(hasher.verify(None, None))), Poll::Ready(Err(BUSY)));
        }
        assert_eq!(hasher.load(), Load { running: 1, waiting: 0 });
        assert!(poll(pin!(hasher.verify(None, None))).is_pending());
    }

    #[actix_web::test]
    async fn a_turn_that_does_not_come_in_time_is_given_up() {
        let hasher = Hasher { max_wait: Duration::ZERO, ..hasher(1, 1) };
        let running = hasher.permit().await.unwrap();
        assert_eq!(hasher.verify(None, None).await, Err(BUSY));
        assert_eq!((hasher.refused.full.get(), hasher.refused.slow.get()), (0, 1));
        drop(running);
        assert_eq!(hasher.verify(None, None).await, Ok(NO));
    }

    #[actix_web::test]
    async fn a_request_dropped_midway_keeps_its_permit_until_its_hash_ends() {
        let hasher = hasher(1, 0);
        let (end, ended) = std::sync::mpsc::channel::<()>();
        {
            let mut dropped = pin!(hasher.in_turn(move || ended.recv()));
            assert!(poll(dropped.as_mut()).is_pending());
        }
        assert_eq!(hasher.verify(None, None).await, Err(BUSY));
        end.send(()).unwrap();
        let _free = hasher.permits.acquire().await.unwrap();
    }

    #[actix_web::test]
    async fn a_panic_while_hashing_denies_and_frees_its_permit() {
        let hasher = hasher(1, 0);
        assert_eq!(hasher.in_turn(|| -> Verdict { panic!("on purpose") }).await, Err(BUSY));
        assert_eq!(hasher.verify(None, None).await, Ok(NO));
    }

    #[actix_web::test]
    async fn many_callers_at_once_share_the_working_memory_without_mixing() {
        let hasher = hasher(2, 64);
        let stored = hasher.hash(given("gravel otter lemon").unwrap()).await.unwrap();
        let calls = (0..32).map(|n| {
            let (hasher, stored) = (hasher.clone(), stored.clone());
            actix_web::rt::spawn(async move {
                let raw = if n % 2 == 0 { "gravel otter lemon" } else { "lemon otter gravel" };
                (n % 2 == 0, hasher.verify(Password::given(raw), Some(&stored)).await.unwrap().matches)
            })
        });
        for call in calls.collect::<Vec<_>>() {
            let (expected, matches) = call.await.unwrap();
            assert_eq!(matches, expected);
        }
    }
}
