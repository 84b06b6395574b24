//! What each side costs: bytes in each request, time for a check, rows written. Measured on this server on request,
//! for `/compare` and `latchkey prove cost`.

use std::hint::black_box;
use std::time::Instant;

use tokio::task::yield_now;
use uuid::Uuid;

use super::figures::{CheckCost, CheckKind, Cost, Operation, OperationCost, RowWrites};
use super::instances::{Instances, TIME_LIMIT};
use super::queries::rows_written;
use super::stopwatch::whole_seconds;
use crate::db::{Fault, Refusable as _};
use crate::lab::jwt::{Algorithm, TokenUse, Verifier};
use crate::lab::{DenyList, Lab, Run, Service, Subject, queries};
use latchkey_sessions::{Owner as _, SessionTx, Store};

/// Enough rounds for a stable median. Only a fast machine completes all of them within the time limit.
const ROUNDS: usize = 300;

/// A check that takes a microsecond is timed in batches of this size, because reading the clock takes a part of one.
const BATCH: u32 = 32;

/// The credentials that a measurement checks.
struct Samples {
    cookie: String,
    hs256: TokenSample,
    eddsa: TokenSample,
}

/// A token and its verifier, prepared once.
struct TokenSample {
    text: String,
    verifier: Verifier,
}

impl Samples {
    fn bytes(&self, kind: CheckKind) -> usize {
        match kind {
            CheckKind::SessionFromMemory | CheckKind::SessionFromDatabase => self.cookie.len(),
            CheckKind::Token(algorithm) | CheckKind::TokenWithDenyList(algorithm) => {
                self.token(algorithm).text.len()
            }
        }
    }

    fn token(&self, algorithm: Algorithm) -> &TokenSample {
        match algorithm {
            Algorithm::Hs256 => &self.hs256,
            Algorithm::EdDsa => &self.eddsa,
        }
    }
}

impl Lab {
    /// Measures the cost, within the time limit. Does not check whether another measurement runs.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn measure_cost(&self) -> Result<Cost, Fault> {
        let started = Instant::now();
        self.with_run(async |run| {
            let operations = self.count_writes(run).await?;
            let samples = self.create_samples(run).await?;
            let times = Instances::with(&self.db, 1, async |instances| {
                self.time_checks(run, &instances[0], &samples, started).await
            })
            .await?;
            let rounds = times[0].len();
            let check = |(kind, mut times): (CheckKind, Vec<f64>)| {
                times.sort_unstable_by(f64::total_cmp);
                let microseconds = times.get(times.len() / 2).copied().unwrap_or_default();
                CheckCost { kind, bytes: samples.bytes(kind), microseconds }
            };
            let checks = CheckKind::ALL.into_iter().zip(times).map(check).collect();
            Ok(Cost { checks, operations, rounds, took: started.elapsed() })
        })
        .await
    }

    async fn create_samples(&self, run: &Run) -> Result<Samples, Fault> {
        let (lab, run) = (self.clone(), run.clone());
        self.sessions
            .write(move |change| {
                let (key, _) = lab.sessions.open(change, &lab.login_of(&run))?;
                let mut token = |algorithm| {
                    let run = Run { algorithm, ..run.clone() };
                    let (text, _) = lab.issue(change, &run, Uuid::new_v4())?;
                    Ok::<_, Fault>(TokenSample { text, verifier: run.verifier(&lab.secret, Service::Shop) })
                };
                let (hs256, eddsa) = (token(Algorithm::Hs256)?, token(Algorithm::EdDsa)?);
                Ok(Samples { cookie: lab.signer.sign(key.reveal()), hs256, eddsa })
            })
            .await
    }

    /// Times the checks in turn, round by round, so that other load on this server affects all of them alike.
    async fn time_checks(
        &self,
        run: &Run,
        cached: &Store<Subject>,
        samples: &Samples,
        started: Instant,
    ) -> Result<[Vec<f64>; 6], Fault> {
        let mut times: [Vec<f64>; 6] = Default::default();
        // The first round warms up and is not counted.
        for round in 0..=ROUNDS {
            if round > 1 && started.elapsed() > TIME_LIMIT {
                break;
            }
            let now = run.token_time() + whole_seconds(started.elapsed());
            for (kind, times) in CheckKind::ALL.into_iter().zip(&mut times) {
                let taken = self.time_check(kind, cached, samples, now).await?;
                if round > 0 {
                    times.push(taken);
                }
            }
        }
        Ok(times)
    }

    async fn time_check(
        &self,
        kind: CheckKind,
        cached: &Store<Subject>,
        samples: &Samples,
        now: i64,
    ) -> Result<f64, Fault> {
        let cookie = &samples.cookie;
        let accepts = async |algorithm, deny_list| {
            let token = samples.token(algorithm);
            self.accepts(&token.verifier, black_box(&token.text), now, deny_list).await
        };
        match kind {
            CheckKind::SessionFromMemory => {
                timed(BATCH, async || self.admits(cached, black_box(cookie)).await).await
            }
            CheckKind::SessionFromDatabase => {
                timed(1, async || self.admits(&self.sessions, black_box(cookie)).await).await
            }
            CheckKind::Token(Algorithm::Hs256) => {
                timed(BATCH, async || accepts(Algorithm::Hs256, DenyList::None).await).await
            }
            CheckKind::Token(Algorithm::EdDsa) => {
                timed(BATCH / 4, async || accepts(Algorithm::EdDsa, DenyList::None).await).await
            }
            CheckKind::TokenWithDenyList(algorithm) => {
                timed(1, async || accepts(algorithm, DenyList::Database).await).await
            }
        }
    }

    /// As for any request: verifies the cookie's signature, then looks up the session.
    async fn admits(&self, sessions: &Store<Subject>, cookie: &str) -> Result<bool, Fault> {
        let Some(key) = self.verified_key(cookie) else { return Ok(false) };
        Ok(sessions.find(&key).await?.is_some())
    }

    /// Performs every operation once in one transaction, and lets Postgres count the rows.
    async fn count_writes(&self, run: &Run) -> Result<Vec<OperationCost>, Fault> {
        let (lab, run) = (self.clone(), run.clone());
        self.sessions
            .write(move |change| {
                let session = lab.count_session_writes(change, &run)?;
                let token = lab.count_token_writes(change, &run, DenyList::None)?;
                let listed = lab.count_token_writes(change, &run, DenyList::Database)?;
                let costs = Operation::ALL.into_iter().enumerate().map(|(at, operation)| OperationCost {
                    operation,
                    session: session[at],
                    token: token[at],
                    token_with_deny_list: listed[at],
                });
                Ok(costs.collect())
            })
            .await
    }

    /// In the order of [`Operation::ALL`].
    fn count_session_writes(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
    ) -> Result<[Option<RowWrites>; 4], Fault> {
        let ((key, handle), log_in) =
            counting(change, |change| self.sessions.open(change, &self.login_of(run)))?;
        if log_in.rows() == 0 {
            return Err(Fault::Bug("Postgres counts no rows: track_counts is off".into()));
        }
        let (_, check) = counting(change, |change| Subject::load(change, &[key.hash()]))?;
        let (_, log_out) =
            counting(change, |change| self.sessions.revoke(change, handle, Some(run.principal())))?;
        Ok([Some(log_in), Some(check), None, Some(log_out)])
    }

    /// In the order of [`Operation::ALL`].
    fn count_token_writes(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        deny_list: DenyList,
    ) -> Result<[Option<RowWrites>; 4], Fault> {
        let run = Run { deny_list, ..run.clone() };
        let listed = deny_list == DenyList::Database;
        let verifier = run.verifier(&self.secret, Service::Shop);
        let family = Uuid::new_v4();
        let ((access, _), log_in) =
            counting(change, |change| self.issue_recording(change, &run, family, listed))?;
        let (_, check) = counting(change, |change| {
            let claims = verifier.verify(TokenUse::Access, &access, run.token_time()).map_err(Fault::bug)?;
            let id = claims.jti.parse().map_err(Fault::bug)?;
            if listed {
                queries::denied_at(change, id)?;
            }
            Ok(())
        })?;
        let (_, log_out) = counting(change, |change| self.deny(change, &run, Some(family), true))?;
        // Refreshes with another pair, because this one is logged out.
        let (_, fresh) = self.issue_recording(change, &run, Uuid::new_v4(), listed)?;
        let (refreshed, refresh) =
            counting(change, |change| self.refresh(change, &run, Some(&fresh), listed).split())?;
        if let Err(reason) = refreshed {
            return Err(Fault::bug(format_args!("a new refresh token is refused: {}", reason.code())));
        }
        Ok([Some(log_in), Some(check), Some(refresh), Some(log_out)])
    }
}

/// Runs `work`, and counts the rows that it writes.
fn counting<T>(
    change: &mut SessionTx<'_>,
    work: impl FnOnce(&mut SessionTx<'_>) -> Result<T, Fault>,
) -> Result<(T, RowWrites), Fault> {
    let before = rows_written(change)?;
    let value = work(change)?;
    let after = rows_written(change)?;
    let [inserted, updated, deleted] = std::array::from_fn(|kind| after[kind] - before[kind]);
    Ok((value, RowWrites { inserted, updated, deleted }))
}

/// The microseconds that one check took on average, of `times` checks.
async fn timed(times: u32, mut check: impl AsyncFnMut() -> Result<bool, Fault>) -> Result<f64, Fault> {
    let started = Instant::now();
    for _ in 0..times {
        if !check().await? {
            return Err(Fault::Unavailable("a credential that was admitted before is refused now".into()));
        }
    }
    let taken = started.elapsed();
    // Lets every other request on this thread run.
    yield_now().await;
    Ok(taken.as_secs_f64() * 1e6 / f64::from(times))
}
