//! The program is killed, stopped, and given another secret, under load.

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::{spawn, time};
use nix::sys::signal::{Signal, kill};

use super::codes;
use super::harness::{CALM, Harness};
use super::outcome::Outcome;
use super::rows;
use crate::history::actors::agent;
use crate::history::record::Done;
use crate::history::rng::Rng;

const KILLS: usize = 12;
const ENDS: usize = 4;

/// From the start of the process until it is ready.
const STARTED_WITHIN: Duration = Duration::from_secs(2);

/// A platform's grace period before SIGKILL.
const ENDED_WITHIN: Duration = Duration::from_secs(30);

pub async fn is_killed() -> Vec<Outcome> {
    let mut harness = Harness::plain().await;
    let codes = Rc::new(codes::enrol(&harness).await);
    harness.open_app().await;
    harness.live().await;
    harness.side_job(spawn(codes::spend(Rc::clone(&harness.world), Rc::clone(&codes))));
    let mut rng = Rng::new(crate::history::seed());
    let mut slowest = Duration::ZERO;
    for _ in 0..KILLS {
        time::sleep(Duration::from_millis(150 + rng.below(500) as u64)).await;
        harness.running[0].take().expect("a program").kill().await;
        let begun = Instant::now();
        let running = harness.programs[0].serve_ready().await;
        slowest = slowest.max(begun.elapsed());
        harness.running[0] = Some(running);
    }
    let back = harness.recovers(Instant::now()).await;
    harness.expect(slowest <= STARTED_WITHIN, format!("a start took {slowest:?}"));
    harness.notes.push(format!("{KILLS} kills, slowest start {:.1} s", slowest.as_secs_f64()));
    harness.codes = Some(codes);
    vec![harness.judged("kill -9 during requests", Some(back)).await]
}

pub async fn is_told_to_end() -> Vec<Outcome> {
    let mut harness = Harness::plain().await;
    harness.open_app().await;
    harness.live().await;
    let mut slowest = Duration::ZERO;
    for _ in 0..ENDS {
        time::sleep(CALM / 2).await;
        slowest = slowest.max(ends(&mut harness).await);
        harness.running[0] = Some(harness.programs[0].serve_ready().await);
    }
    let back = harness.recovers(Instant::now()).await;
    harness.notes.push(format!("{ENDS} times, slowest end {:.1} s", slowest.as_secs_f64()));
    expect_answers_for_opened_sessions(&mut harness);
    let under_load = harness.judged("SIGTERM under load", Some(back)).await;

    let mut harness = Harness::plain().await;
    harness.open_app().await;
    harness.live().await;
    let stopped = harness.backends();
    for pid in &stopped {
        let _ = kill(*pid, Signal::SIGSTOP);
    }
    // Until every running request waits for the database, and touches are due to be flushed at the end.
    time::sleep(CALM).await;
    let took = ends(&mut harness).await;
    harness.notes.push(format!("ended after {:.1} s", took.as_secs_f64()));
    for pid in &stopped {
        let _ = kill(*pid, Signal::SIGCONT);
    }
    harness.running[0] = Some(harness.programs[0].serve_ready().await);
    let back = harness.recovers(Instant::now()).await;
    vec![under_load, harness.judged("SIGTERM while Postgres hangs", Some(back)).await]
}

/// How long the shutdown took; asserts that it was clean.
async fn ends(harness: &mut Harness) -> Duration {
    let mut running = harness.running[0].take().expect("a program");
    let begun = Instant::now();
    running.signal(Signal::SIGTERM);
    let ended = time::timeout(ENDED_WITHIN, running.ended()).await;
    let took = begun.elapsed();
    match ended {
        Ok((status, log)) => {
            let last = log.last().cloned().unwrap_or_default();
            harness.expect(status.code() == Some(0), format!("it ended with {status}: {last}"));
        }
        Err(_) => {
            harness.missed.push(format!("no end within {ENDED_WITHIN:?}"));
            running.kill().await;
        }
    }
    took
}

/// Every log-in that opened a session was answered.
fn expect_answers_for_opened_sessions(harness: &mut Harness) {
    let mut conn = latchkey::db::migrations::connect(&harness.url).expect("a connection");
    let agents = rows(&mut conn, "SELECT user_agent FROM sessions");
    let untold: Vec<usize> = {
        let history = harness.world.history.borrow();
        // Waiting requests are answered shortly.
        let heard = history.log_ins.iter().enumerate().filter(|(_, one)| one.at.ended != u64::MAX);
        heard.filter(|(_, one)| one.done == Done::Unknown).map(|(session, _)| session).collect()
    };
    for session in untold {
        harness.expect(!agents.contains(&agent(session)), format!("log-in {session} was dropped"));
    }
}

const OLD: &str = "only-for-tests-0123456789-abcdefghijkl";
const NEW: &str = "another-for-tests-9876543210-zyxwvutsrq";

/// Instance by instance: first all learn the new secret, then all use it; no user is logged out meanwhile.
pub async fn changes_its_key() -> Vec<Outcome> {
    let mut harness = Harness::new(&[], |program, _| {
        vec![program.clone().with("LATCHKEY__SECRET", OLD), program.on_another_port()]
    })
    .await;
    let codes = Rc::new(codes::enrol(&harness).await);
    harness.open_app().await;
    harness.live().await;
    harness.side_job(spawn(codes::spend(Rc::clone(&harness.world), Rc::clone(&codes))));
    for (secret, other) in [(OLD, NEW), (NEW, OLD)] {
        for at in 0..harness.programs.len() {
            harness.programs[at] = harness.programs[at]
                .clone()
                .with("LATCHKEY__SECRET", secret)
                .with("LATCHKEY__SECRET_PREVIOUS", other);
            let mut running = harness.running[at].take().expect("a program");
            running.stop(Signal::SIGTERM).await;
            harness.running[at] = Some(harness.programs[at].serve_ready().await);
            time::sleep(CALM / 2).await;
        }
    }
    let back = harness.recovers(Instant::now()).await;
    // A cookie signed with a secret that no instance knows.
    let stranger = harness.programs[0]
        .on_another_port()
        .with("LATCHKEY__SECRET", "a-third-for-tests-0123456789-abcdefgh");
    let stranger = stranger
        .with("LATCHKEY__SECRET_PREVIOUS", "a-fourth-for-tests-0123456789-abcdefg")
        .serve_ready()
        .await;
    let mut browser = harness.running[0].as_ref().expect("a program").browser();
    browser.log_in("link297@example.org", crate::history::actors::PASSWORD).await.redirects_to("/home");
    let answer = browser.copy_at(&stranger.origin).get("/home").await;
    harness.expect(answer.is_sent_to("/login"), format!("a cookie of an unknown key: {}", answer.status));
    harness
        .notes
        .push("two instances, four restarts; a cookie signed with an unknown key opens no session".into());
    harness.codes = Some(codes);
    vec![harness.judged("The key changes", Some(back)).await]
}
