//! How long a revocation takes to count, measured on two real instances that are asked all the while, and beside them
//! on a token. Called by [`Lab::ask_stopwatch`].

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::try_join5;
use tokio::task::yield_now;
use tokio::time::sleep;
use uuid::Uuid;

use super::measure::{AT_MOST, Instances};
use super::{DenyList, Lab, Run, Service, Subject, queries};
use crate::db::Fault;
use crate::jwt::{Claims, Refusal, Use, Verifier};
use latchkey_sessions::{Handle, Key, Store};

/// Enough for a median, and for a slow one to show.
const ROUNDS: usize = 20;

/// Everybody is asked for so long before anything is revoked: some thousand questions.
const RUN_UP: Duration = Duration::from_millis(3);

/// Questions that each must answer after the revocation was answered.
const AFTERWARDS: u64 = 10;

/// What was seen in all rounds. Times run from just before the commit was sent, so that the commit is in them.
pub struct Stopwatch {
    pub rounds: usize,
    /// The first refusal by the instance that revoked, and by the other one.
    pub here: Spread,
    pub there: Spread,
    /// When whoever revoked was told that it is done.
    pub answered: Spread,
    /// Of questions that began after that, how many were asked of the sessions, and how many were still served.
    pub asked_after: u64,
    pub served_after: u64,
    /// The first refusal of a token by whoever reads the deny-list in the database at each check.
    pub denied: Spread,
    /// The token without a deny-list: how often it was accepted after the revocation was answered, and how long it
    /// will be, by its own words.
    pub accepted_after: u64,
    pub accepted_for: Duration,
    /// Questions altogether.
    pub asks: u64,
    pub took: Duration,
}

/// Half of the rounds took no longer than the first; none longer than the second.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub p50: Duration,
    pub max: Duration,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Result<Self, Fault> {
        times.sort_unstable();
        let p50 = times.get(times.len().saturating_sub(1) / 2).copied();
        match (p50, times.last()) {
            (Some(p50), Some(max)) => Ok(Self { p50, max: *max }),
            _ => Err(Fault::Bug("a measurement without a round".into())),
        }
    }
}

/// What is taken back in one round, known to both sides.
struct Quarry {
    key: Key,
    handle: Handle,
    family: Uuid,
    token: String,
}

/// What one of those who ask saw.
#[derive(Default)]
struct Seen {
    asks: u64,
    refused: Option<Instant>,
    asked_after: u64,
    served_after: u64,
}

/// One round, as it went.
struct Round {
    committing: Instant,
    answered: Instant,
    here: Seen,
    there: Seen,
    denied: Seen,
    plain: Seen,
    claims: Claims,
}

impl Lab {
    pub(super) async fn time_revocations(&self) -> Result<Stopwatch, Fault> {
        let begun = Instant::now();
        self.with_run(async |run| {
            let quarry = self.release(run).await?;
            let verifier = run.verifier(&self.secret, Service::Shop);
            let rounds = Instances::with(&self.db, 2, async |instances| {
                let [here, there] = instances else {
                    return Err(Fault::Bug("two instances were asked for".into()));
                };
                let mut rounds = Vec::new();
                for quarry in quarry {
                    if !rounds.is_empty() && begun.elapsed() > AT_MOST {
                        break;
                    }
                    let now = run.token_time() + seconds(begun.elapsed());
                    rounds.push(self.chase(run, here, there, &verifier, quarry, now).await?);
                }
                Ok(rounds)
            })
            .await?;
            sum_up(&rounds, begun.elapsed())
        })
        .await
    }

    /// Logs the subject of `run` in, once a round.
    async fn release(&self, run: &Run) -> Result<Vec<Quarry>, Fault> {
        let (lab, run) = (self.clone(), run.clone());
        self.sessions
            .write(move |change| {
                (0..ROUNDS)
                    .map(|_| {
                        let (key, handle) = lab.sessions.open(change, &lab.login_of(&run))?;
                        let family = Uuid::new_v4();
                        let (token, _) = lab.issue(change, &run, family)?;
                        Ok(Quarry { key, handle, family, token })
                    })
                    .collect()
            })
            .await
    }

    /// Revokes one session and denies one token in one transaction, while everybody is asked about them.
    async fn chase(
        &self,
        run: &Run,
        here: &Store<Subject>,
        there: &Store<Subject>,
        verifier: &Verifier,
        quarry: Quarry,
        now: i64,
    ) -> Result<Round, Fault> {
        let Quarry { key, handle, family, token } = quarry;
        let claims = verifier.verify(Use::Access, &token, now).map_err(Fault::bug)?;
        proven_end(verifier, &token, &claims)?;
        for instance in [here, there] {
            if instance.find(&key).await?.is_none() {
                return Err(Fault::Bug("a session that was just opened is not found".into()));
            }
        }
        let answered = Cell::new(None);
        let principal = run.principal();
        let run = run.id;
        let revoke = async {
            sleep(RUN_UP).await;
            let revoking = here.clone();
            let committing = here
                .write(move |change| {
                    revoking.revoke(change, handle, Some(principal))?;
                    queries::deny(change, run, Some(family), &[Use::Access, Use::Refresh])?;
                    Ok(Instant::now())
                })
                .await?;
            let now = Instant::now();
            answered.set(Some(now));
            Ok::<_, Fault>((committing, now))
        };
        let ((committing, answered), here, there, denied, plain) = try_join5(
            revoke,
            keep_asking(&answered, async || Ok(here.find(&key).await?.is_some())),
            keep_asking(&answered, async || Ok(there.find(&key).await?.is_some())),
            keep_asking(&answered, async || self.accepts(verifier, &token, now, DenyList::Database).await),
            keep_asking(&answered, async || self.accepts(verifier, &token, now, DenyList::None).await),
        )
        .await?;
        Ok(Round { committing, answered, here, there, denied, plain, claims })
    }

    /// What whoever takes tokens does for each: the signature, and the deny-list where there is one.
    pub(super) async fn accepts(
        &self,
        verifier: &Verifier,
        token: &str,
        now: i64,
        deny_list: DenyList,
    ) -> Result<bool, Fault> {
        let Ok(claims) = verifier.verify(Use::Access, token, now) else { return Ok(false) };
        if deny_list != DenyList::Database {
            return Ok(true);
        }
        let Ok(id) = claims.jti.parse() else { return Ok(false) };
        Ok(self.db.read(move |conn| queries::denied_at(conn, id)).await?.is_none())
    }
}

/// Asks one question after the other until enough of them have begun after the answer.
async fn keep_asking(
    answered: &Cell<Option<Instant>>,
    mut ask: impl AsyncFnMut() -> Result<bool, Fault>,
) -> Result<Seen, Fault> {
    let mut seen = Seen::default();
    while seen.asked_after < AFTERWARDS {
        let after = u64::from(answered.get().is_some());
        let served = ask().await?;
        seen.asks += 1;
        seen.asked_after += after;
        if served {
            seen.served_after += after;
        } else if seen.refused.is_none() {
            seen.refused = Some(Instant::now());
        }
        // The next one's turn, and that of every other request on this thread.
        yield_now().await;
    }
    Ok(seen)
}

/// A token is good until the second that it names itself, and not in that second.
fn proven_end(verifier: &Verifier, token: &str, claims: &Claims) -> Result<(), Fault> {
    let before = verifier.verify(Use::Access, token, claims.exp - 1);
    let then = verifier.verify(Use::Access, token, claims.exp);
    match (before, then) {
        (Ok(_), Err(Refusal::Expired { .. })) => Ok(()),
        _ => Err(Fault::Bug("a token does not end when it says".into())),
    }
}

fn sum_up(rounds: &[Round], took: Duration) -> Result<Stopwatch, Fault> {
    let never = || Fault::Unavailable("something revoked was still let in at the end of a round".into());
    let spread = |of: fn(&Round) -> Option<Instant>| {
        let times = rounds.iter().map(|round| {
            of(round).and_then(|at| at.checked_duration_since(round.committing)).ok_or_else(never)
        });
        Spread::of(times.collect::<Result<_, _>>()?)
    };
    let seen = |round: &Round| [&round.here, &round.there].map(|seen| (seen.asked_after, seen.served_after));
    let life = rounds.iter().map(|round| round.claims.exp - round.claims.iat).min().unwrap_or_default();
    let everybody = |round: &Round| round.here.asks + round.there.asks + round.denied.asks + round.plain.asks;
    Ok(Stopwatch {
        rounds: rounds.len(),
        here: spread(|round| round.here.refused)?,
        there: spread(|round| round.there.refused)?,
        answered: spread(|round| Some(round.answered))?,
        asked_after: rounds.iter().flat_map(seen).map(|(asked, _)| asked).sum(),
        served_after: rounds.iter().flat_map(seen).map(|(_, served)| served).sum(),
        denied: spread(|round| round.denied.refused)?,
        accepted_after: rounds.iter().map(|round| round.plain.served_after).sum(),
        accepted_for: Duration::from_secs(u64::try_from(life).unwrap_or_default()),
        asks: rounds.iter().map(everybody).sum(),
        took,
    })
}

pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
