//! What letting somebody in costs on either side: bytes on the wire, time for a check, rows written. Measured on this
//! server when somebody asks. Called by `/compare` and `latchkey prove cost`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::task::yield_now;
use uuid::Uuid;

use super::measure::{AT_MOST, Instances};
use super::stopwatch::seconds;
use super::{DenyList, Held, Lab, Run, Service, Subject, queries};
use crate::db::Fault;
use crate::jwt::{Algorithm, Use, Verifier};
use latchkey_sessions::{Owner as _, SessionTx, Store};

/// Medians over so many rounds are steady; more come together in the time there is only on a quick machine.
const ROUNDS: usize = 300;

/// A check that takes a microsecond is timed so many at a time, because reading the clock takes a part of one.
const AT_ONCE: u32 = 32;

#[derive(Serialize)]
pub struct Cost {
    pub checks: Vec<Check>,
    pub deeds: Vec<Deed>,
    pub rounds: usize,
    #[serde(skip)]
    pub took: Duration,
}

/// One way to find out who asks.
#[derive(Serialize)]
pub struct Check {
    pub way: &'static str,
    pub is_session: bool,
    /// In each request: the value of the cookie. Its name is as long as somebody likes.
    pub bytes: usize,
    /// The median of one check, from the text that came to the answer.
    pub microseconds: f64,
    /// To be answered by more than one server.
    pub to_scale_out: &'static str,
}

/// What is written in the database for something that happens. `None` where a side knows nothing of the kind.
#[derive(Serialize)]
pub struct Deed {
    pub deed: &'static str,
    pub session: Option<Writes>,
    pub token: Option<Writes>,
    pub token_with_deny_list: Option<Writes>,
}

/// Rows, as Postgres counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Writes {
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
}

impl Writes {
    pub fn rows(self) -> i64 {
        self.inserted + self.updated + self.deleted
    }
}

/// What is shown at each check of a measurement.
struct Shown {
    cookie: String,
    hs256: Token,
    eddsa: Token,
}

/// A token and whoever checks it, made ready once.
struct Token {
    text: String,
    verifier: Verifier,
}

/// The six ways, in the order in which they are told: name, whether a session, and what they need to scale out.
const WAYS: [(&str, bool, &str); 6] = [
    ("Session, from memory", true, "the database, and a connection each to hear what was revoked"),
    ("Session, from the database", true, "the database"),
    ("Token, HS256", false, "the one secret on every server: each could sign"),
    ("Token, EdDSA", false, "the public key on every server"),
    ("Token, HS256, with deny-list", false, "the one secret on every server, and the database"),
    ("Token, EdDSA, with deny-list", false, "the public key on every server, and the database"),
];

impl Lab {
    /// Measures. Takes as long as a measurement may, and does not look whether another one runs.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn weigh(&self) -> Result<Cost, Fault> {
        let begun = Instant::now();
        self.with_run(async |run| {
            let deeds = self.count_writes(run).await?;
            let shown = self.hand_out(run).await?;
            let times = Instances::with(&self.db, 1, async |instances| {
                self.time_checks(run, &instances[0], &shown, begun).await
            })
            .await?;
            let rounds = times[0].len();
            let bytes = |way: usize| match way {
                0 | 1 => shown.cookie.len(),
                2 | 4 => shown.hs256.text.len(),
                _ => shown.eddsa.text.len(),
            };
            let check = |(way, mut times): (usize, Vec<f64>)| {
                times.sort_unstable_by(f64::total_cmp);
                let (name, is_session, to_scale_out) = WAYS[way];
                let microseconds = times.get(times.len() / 2).copied().unwrap_or_default();
                Check { way: name, is_session, bytes: bytes(way), microseconds, to_scale_out }
            };
            let checks = times.into_iter().enumerate().map(check).collect();
            Ok(Cost { checks, deeds, rounds, took: begun.elapsed() })
        })
        .await
    }

    async fn hand_out(&self, run: &Run) -> Result<Shown, Fault> {
        let (lab, run) = (self.clone(), run.clone());
        self.sessions
            .write(move |change| {
                let (key, _) = lab.sessions.open(change, &lab.login_of(&run))?;
                let mut token = |algorithm| {
                    let run = Run { algorithm, ..run.clone() };
                    let (text, _) = lab.issue(change, &run, Uuid::new_v4())?;
                    Ok::<_, Fault>(Token { text, verifier: run.verifier(&lab.secret, Service::Shop) })
                };
                let (hs256, eddsa) = (token(Algorithm::Hs256)?, token(Algorithm::EdDsa)?);
                Ok(Shown { cookie: lab.signer.sign(key.reveal()), hs256, eddsa })
            })
            .await
    }

    /// Times one of each after the other, again and again, so that whatever else this server does hits all alike.
    async fn time_checks(
        &self,
        run: &Run,
        keeping: &Store<Subject>,
        shown: &Shown,
        begun: Instant,
    ) -> Result<[Vec<f64>; 6], Fault> {
        let mut times: [Vec<f64>; 6] = Default::default();
        let Shown { cookie, hs256, eddsa } = shown;
        // The first round warms up.
        for round in 0..=ROUNDS {
            if round > 1 && begun.elapsed() > AT_MOST {
                break;
            }
            let now = run.token_time() + seconds(begun.elapsed());
            let plain = async |token: &Token| {
                self.accepts(&token.verifier, black_box(&token.text), now, DenyList::None).await
            };
            let listed = async |token: &Token| {
                self.accepts(&token.verifier, black_box(&token.text), now, DenyList::Database).await
            };
            let taken = [
                timed(AT_ONCE, async || self.lets_in(keeping, black_box(cookie)).await).await?,
                timed(1, async || self.lets_in(&self.sessions, black_box(cookie)).await).await?,
                timed(AT_ONCE, async || plain(hs256).await).await?,
                timed(AT_ONCE / 4, async || plain(eddsa).await).await?,
                timed(1, async || listed(hs256).await).await?,
                timed(1, async || listed(eddsa).await).await?,
            ];
            if round > 0 {
                for (times, taken) in times.iter_mut().zip(taken) {
                    times.push(taken);
                }
            }
        }
        Ok(times)
    }

    /// From the text of the cookie on, as for any request: its signature, then the session.
    async fn lets_in(&self, sessions: &Store<Subject>, cookie: &str) -> Result<bool, Fault> {
        let Some(key) = self.key_in(cookie) else { return Ok(false) };
        Ok(sessions.find(&key).await?.is_some())
    }

    /// Does everything once in one transaction, and lets Postgres count.
    async fn count_writes(&self, run: &Run) -> Result<Vec<Deed>, Fault> {
        let (lab, run) = (self.clone(), run.clone());
        self.sessions
            .write(move |change| {
                let mut count = |work: &mut dyn FnMut(&mut SessionTx<'_>) -> Result<(), Fault>| {
                    let before = queries::rows_written(change)?;
                    work(change)?;
                    let after = queries::rows_written(change)?;
                    let [inserted, updated, deleted] = std::array::from_fn(|kind| after[kind] - before[kind]);
                    Ok::<_, Fault>(Writes { inserted, updated, deleted })
                };
                let mut opened = None;
                let session_in = count(&mut |change| {
                    opened = Some(lab.sessions.open(change, &lab.login_of(&run))?);
                    Ok(())
                })?;
                let Some((key, handle)) = opened else { return Err(Fault::Bug("no session".into())) };
                if session_in.rows() == 0 {
                    return Err(Fault::Bug("this database counts no rows: track_counts is off".into()));
                }
                let session_check = count(&mut |change| Subject::load(change, &[key.hash()]).map(drop))?;
                let session_out = count(&mut |change| {
                    lab.sessions.revoke(change, handle, Some(run.principal())).map(drop)
                })?;
                let mut token = |deny_list| {
                    let run = Run { deny_list, ..run.clone() };
                    let listed = deny_list == DenyList::Database;
                    let (family, mut held) = (Uuid::new_v4(), Held::default());
                    let verifier = run.verifier(&lab.secret, Service::Shop);
                    let into = count(&mut |change| {
                        let (access, refresh) = lab.issue_noting(change, &run, family, listed)?;
                        (held.access, held.refresh) = (Some(access), Some(refresh));
                        Ok(())
                    })?;
                    let token = held.access.clone().unwrap_or_default();
                    let check = count(&mut |change| {
                        let claims = verifier.verify(Use::Access, &token, run.token_time());
                        let id = claims.map_err(Fault::bug)?.jti.parse().map_err(Fault::bug)?;
                        if deny_list == DenyList::Database {
                            queries::denied_at(change, id)?;
                        }
                        Ok(())
                    })?;
                    let out = count(&mut |change| lab.deny(change, &run, Some(family), true).map(drop))?;
                    // Another one, that nobody has logged out.
                    let mut fresh = None;
                    count(&mut |change| {
                        fresh = Some(lab.issue_noting(change, &run, Uuid::new_v4(), listed)?.1);
                        Ok(())
                    })?;
                    let refresh = count(&mut |change| {
                        lab.refresh(change, &run, fresh.as_deref(), listed)?
                            .map(drop)
                            .map_err(|why| Fault::Bug(why.into()))
                    })?;
                    Ok::<_, Fault>([into, check, refresh, out])
                };
                let (plain, listed) = (token(DenyList::None)?, token(DenyList::Database)?);
                let session = [Some(session_in), Some(session_check), None, Some(session_out)];
                Ok(["Log-in", "A check", "Refreshing", "Log-out"]
                    .into_iter()
                    .enumerate()
                    .map(|(at, deed)| Deed {
                        deed,
                        session: session[at],
                        token: Some(plain[at]),
                        token_with_deny_list: Some(listed[at]),
                    })
                    .collect())
            })
            .await
    }
}

/// Microseconds that one of `times` checks took.
async fn timed(times: u32, mut check: impl AsyncFnMut() -> Result<bool, Fault>) -> Result<f64, Fault> {
    let begun = Instant::now();
    for _ in 0..times {
        if !check().await? {
            return Err(Fault::Unavailable("what was let in before is not any more".into()));
        }
    }
    let taken = begun.elapsed();
    // Every other request on this thread has its turn.
    yield_now().await;
    Ok(taken.as_secs_f64() * 1e6 / f64::from(times))
}
