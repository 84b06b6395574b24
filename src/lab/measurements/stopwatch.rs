//! How long a revocation takes to be effective: measured on two real instances that are checked without pause, and on
//! a token with and without a deny-list.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::try_join5;
use tokio::task::yield_now;
use tokio::time::sleep;
use uuid::Uuid;

use super::figures::{Spread, Stopwatch};
use super::instances::{Instances, TIME_LIMIT};
use crate::db::Fault;
use crate::lab::jwt::{Claims, Refusal, TokenUse, Verifier};
use crate::lab::{DenyList, Lab, Run, Service, Subject, queries};
use latchkey_sessions::{Handle, Key, Store};

/// Enough for a median, and for an outlier to show.
const ROUNDS: usize = 20;

/// How long all checks run before the revocation: some thousand checks.
const WARM_UP: Duration = Duration::from_millis(3);

/// How many checks of each kind follow the acknowledged revocation.
const CHECKS_AFTERWARDS: u64 = 10;

/// The session and the token that one round revokes.
struct StopwatchTarget {
    key: Key,
    handle: Handle,
    family: Uuid,
    token: String,
}

/// What one series of checks observed.
#[derive(Default)]
struct Observed {
    checks: u64,
    first_refusal: Option<Instant>,
    checks_after: u64,
    admitted_after: u64,
}

/// The observations of one round.
struct Round {
    committing: Instant,
    acknowledged: Instant,
    revoking_instance: Observed,
    other_instance: Observed,
    deny_list: Observed,
    no_deny_list: Observed,
    claims: Claims,
}

impl Lab {
    pub(super) async fn time_revocations(&self) -> Result<Stopwatch, Fault> {
        let started = Instant::now();
        self.with_run(async |run| {
            let targets = self.create_targets(run).await?;
            let verifier = run.verifier(&self.secret, Service::Shop);
            let rounds = Instances::with(&self.db, 2, async |instances| {
                let [revoking, other] = instances else {
                    return Err(Fault::Bug("the stopwatch needs two instances".into()));
                };
                let mut rounds = Vec::new();
                for target in targets {
                    if !rounds.is_empty() && started.elapsed() > TIME_LIMIT {
                        break;
                    }
                    let now = run.token_time() + whole_seconds(started.elapsed());
                    rounds.push(self.run_round(run, revoking, other, &verifier, target, now).await?);
                }
                Ok(rounds)
            })
            .await?;
            summarize(&rounds, started.elapsed())
        })
        .await
    }

    /// Logs the subject of `run` in, once for each round.
    async fn create_targets(&self, run: &Run) -> Result<Vec<StopwatchTarget>, Fault> {
        let (lab, run) = (self.clone(), run.clone());
        self.sessions
            .write(move |change| {
                (0..ROUNDS)
                    .map(|_| {
                        let (key, handle) = lab.sessions.open(change, &lab.login_of(&run))?;
                        let family = Uuid::new_v4();
                        let (token, _) = lab.issue(change, &run, family)?;
                        Ok(StopwatchTarget { key, handle, family, token })
                    })
                    .collect()
            })
            .await
    }

    /// Revokes one session and denies one token in one transaction, while both are checked without pause.
    async fn run_round(
        &self,
        run: &Run,
        revoking: &Store<Subject>,
        other: &Store<Subject>,
        verifier: &Verifier,
        target: StopwatchTarget,
        now: i64,
    ) -> Result<Round, Fault> {
        let StopwatchTarget { key, handle, family, token } = target;
        let claims = verifier.verify(TokenUse::Access, &token, now).map_err(Fault::bug)?;
        verify_expiry(verifier, &token, &claims)?;
        for instance in [revoking, other] {
            if instance.find(&key).await?.is_none() {
                return Err(Fault::Bug("a session that was just opened is not found".into()));
            }
        }
        let acknowledged = Cell::new(None);
        let principal = run.principal();
        let run = run.id;
        let revoke = async {
            sleep(WARM_UP).await;
            let sessions = revoking.clone();
            let committing = revoking
                .write(move |change| {
                    sessions.revoke(change, handle, Some(principal))?;
                    queries::deny(change, run, Some(family), &[TokenUse::Access, TokenUse::Refresh])?;
                    Ok(Instant::now())
                })
                .await?;
            let now = Instant::now();
            acknowledged.set(Some(now));
            Ok::<_, Fault>((committing, now))
        };
        let ((committing, acknowledged), revoking_instance, other_instance, deny_list, no_deny_list) =
            try_join5(
                revoke,
                check_repeatedly(&acknowledged, async || Ok(revoking.find(&key).await?.is_some())),
                check_repeatedly(&acknowledged, async || Ok(other.find(&key).await?.is_some())),
                check_repeatedly(&acknowledged, async || {
                    self.accepts(verifier, &token, now, DenyList::Database).await
                }),
                check_repeatedly(&acknowledged, async || {
                    self.accepts(verifier, &token, now, DenyList::None).await
                }),
            )
            .await?;
        Ok(Round {
            committing,
            acknowledged,
            revoking_instance,
            other_instance,
            deny_list,
            no_deny_list,
            claims,
        })
    }

    /// What a service does with each token: verifies it, and looks it up in the deny-list if there is one.
    pub(super) async fn accepts(
        &self,
        verifier: &Verifier,
        token: &str,
        now: i64,
        deny_list: DenyList,
    ) -> Result<bool, Fault> {
        let Ok(claims) = verifier.verify(TokenUse::Access, token, now) else { return Ok(false) };
        if deny_list != DenyList::Database {
            return Ok(true);
        }
        let Ok(id) = claims.jti.parse() else { return Ok(false) };
        Ok(self.db.read(move |conn| queries::denied_at(conn, id)).await?.is_none())
    }
}

/// Repeats a check until enough checks have started after the revocation was acknowledged.
async fn check_repeatedly(
    acknowledged: &Cell<Option<Instant>>,
    mut check: impl AsyncFnMut() -> Result<bool, Fault>,
) -> Result<Observed, Fault> {
    let mut seen = Observed::default();
    while seen.checks_after < CHECKS_AFTERWARDS {
        let after = u64::from(acknowledged.get().is_some());
        let admitted = check().await?;
        seen.checks += 1;
        seen.checks_after += after;
        if admitted {
            seen.admitted_after += after;
        } else if seen.first_refusal.is_none() {
            seen.first_refusal = Some(Instant::now());
        }
        // Lets the other checks and every other request on this thread run.
        yield_now().await;
    }
    Ok(seen)
}

/// Makes sure that the token is valid until the second `exp`, and invalid in that second.
fn verify_expiry(verifier: &Verifier, token: &str, claims: &Claims) -> Result<(), Fault> {
    let before = verifier.verify(TokenUse::Access, token, claims.exp - 1);
    let then = verifier.verify(TokenUse::Access, token, claims.exp);
    match (before, then) {
        (Ok(_), Err(Refusal::Expired { .. })) => Ok(()),
        _ => Err(Fault::Bug("a token does not expire when its claim says".into())),
    }
}

fn summarize(rounds: &[Round], took: Duration) -> Result<Stopwatch, Fault> {
    let never = || Fault::Unavailable("a revoked credential was still admitted at the end of a round".into());
    let spread = |of: fn(&Round) -> Option<Instant>| {
        let times = rounds.iter().map(|round| {
            of(round).and_then(|at| at.checked_duration_since(round.committing)).ok_or_else(never)
        });
        Spread::of(times.collect::<Result<_, _>>()?)
    };
    let sessions = |round: &Round| {
        [&round.revoking_instance, &round.other_instance].map(|seen| (seen.checks_after, seen.admitted_after))
    };
    let life = rounds.iter().map(|round| round.claims.exp - round.claims.iat).min().unwrap_or_default();
    let all_checks = |round: &Round| {
        [&round.revoking_instance, &round.other_instance, &round.deny_list, &round.no_deny_list]
            .map(|seen| seen.checks)
            .iter()
            .sum::<u64>()
    };
    Ok(Stopwatch {
        rounds: rounds.len(),
        revoking_instance: spread(|round| round.revoking_instance.first_refusal)?,
        other_instance: spread(|round| round.other_instance.first_refusal)?,
        acknowledged: spread(|round| Some(round.acknowledged))?,
        checks_after: rounds.iter().flat_map(sessions).map(|(checks, _)| checks).sum(),
        admitted_after: rounds.iter().flat_map(sessions).map(|(_, admitted)| admitted).sum(),
        deny_list: spread(|round| round.deny_list.first_refusal)?,
        token_accepted_after: rounds.iter().map(|round| round.no_deny_list.admitted_after).sum(),
        token_life: Duration::from_secs(u64::try_from(life).unwrap_or_default()),
        checks: rounds.iter().map(all_checks).sum(),
        took,
    })
}

pub(super) fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
