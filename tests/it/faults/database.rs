//! Postgres restarts, hangs, has no free connection, and terminates the listeners' connections.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::rt::{spawn, task, time};
use diesel::connection::SimpleConnection as _;
use latchkey::db::migrations;
use nix::sys::signal::{Signal, kill};
use tokio::sync::oneshot;

use super::harness::{CALM, Harness};
use super::outcome::Outcome;
use super::proxy::Proxy;

/// No answer takes longer: two seconds for a connection, four for the statement.
const ANSWER_WITHIN: Duration = Duration::from_millis(6500);

/// The duration of a fault: longer than any answer, shorter than the checker's time limit.
const LONG_ENOUGH: Duration = Duration::from_millis(7500);

/// The application name of the listening connections.
pub const LISTENER: &str = "faults_listener";

pub async fn restarts() -> Vec<Outcome> {
    vec![restart(Signal::SIGINT).await, restart(Signal::SIGQUIT).await]
}

/// A fast or immediate shutdown, as in `pg_ctl restart -m`.
pub async fn restart(signal: Signal) -> Outcome {
    let mut harness = Harness::plain().await;
    harness.open_app().await;
    harness.live().await;
    harness.stop_postgres(signal).await;
    is_alive_but_not_ready(&mut harness).await;
    harness.start_postgres().await;
    let back = harness.recovers(Instant::now()).await;
    let how = if signal == Signal::SIGINT { "fast" } else { "immediate" };
    harness.judged(&format!("Postgres restarts, {how}"), Some(back)).await
}

pub async fn hangs() -> Vec<Outcome> {
    let mut harness = Harness::plain().await;
    harness.open_app().await;
    harness.live().await;
    let stopped = harness.backends();
    for pid in &stopped {
        let _ = kill(*pid, Signal::SIGSTOP);
    }
    answers_in_time(&mut harness, &[503]).await;
    for pid in &stopped {
        let _ = kill(*pid, Signal::SIGCONT);
    }
    let back = harness.recovers(Instant::now()).await;
    let stopped = harness.judged("Postgres hangs: its processes stand still", Some(back)).await;

    // A network that drops every packet, including those of new connections.
    let proxy = Rc::new(Proxy::new());
    let mut harness = Harness::new(&[], |program, url| {
        proxy.lead_to(url);
        vec![program.with("DATABASE_URL", proxy.url())]
    })
    .await;
    harness.open_app().await;
    harness.live().await;
    proxy.swallow(true);
    answers_in_time(&mut harness, &[503]).await;
    proxy.swallow(false);
    let back = harness.recovers(Instant::now()).await;
    vec![stopped, harness.judged("Postgres hangs: the network says nothing", Some(back)).await]
}

pub async fn is_exhausted() -> Vec<Outcome> {
    // A lock that every request needs.
    let mut harness = Harness::plain().await;
    harness.open_app().await;
    harness.live().await;
    let mut in_the_way = migrations::connect(&harness.url).expect("a connection");
    in_the_way.batch_execute("BEGIN; LOCK TABLE users, sessions").expect("a lock");
    // A connection whose wait for the lock has timed out is free for a moment.
    answers_in_time(&mut harness, &[200, 503]).await;
    in_the_way.batch_execute("COMMIT").expect("an end");
    let back = harness.recovers(Instant::now()).await;
    let locked = harness.judged("Every connection waits for a lock", Some(back)).await;

    // No free connection at the server.
    let mut harness = Harness::new(&[("max_connections", "24")], |program, _| vec![program]).await;
    harness.open_app().await;
    harness.live().await;
    let url = format!("{}&application_name=crowd", harness.url);
    let (over, (taken, all_taken)) = (Arc::new(AtomicBool::new(false)), oneshot::channel());
    let until = Arc::clone(&over);
    let crowd = task::spawn_blocking(move || {
        let (mut crowd, mut taken) = (Vec::new(), Some(taken));
        // Terminates our connections, including new ones, so that other clients take their slots.
        let ours = "SELECT pid::text FROM pg_stat_activity WHERE application_name <> 'crowd' AND backend_type = 'client backend' AND pg_terminate_backend(pid)";
        while !until.load(Ordering::Relaxed) {
            while let Ok(conn) = migrations::connect(&url) {
                crowd.push(conn);
            }
            if super::rows(&mut crowd[0], ours).is_empty() {
                let _ = taken.take().map(|taken| taken.send(()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        crowd.len()
    });
    all_taken.await.expect("a crowd");
    answers_in_time(&mut harness, &[503]).await;
    over.store(true, Ordering::Relaxed);
    let crowd = crowd.await.expect("a crowd");
    harness.notes.push(format!("{crowd} connections of others"));
    let back = harness.recovers(Instant::now()).await;
    vec![locked, harness.judged("Too many clients for Postgres", Some(back)).await]
}

pub async fn loses_its_listener() -> Vec<Outcome> {
    let mut harness = Harness::new(&[], |program, url| {
        let direct = format!("{url}&application_name={LISTENER}");
        let program = program.with("LATCHKEY__DATABASE__DIRECT_URL", direct);
        vec![program.clone(), program.on_another_port()]
    })
    .await;
    harness.open_app().await;
    harness.live().await;
    let cut = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{LISTENER}'"
    );
    let begun = Instant::now();
    let mut cuts = 0;
    while begun.elapsed() < Duration::from_secs(4) {
        harness.execute(&cut);
        cuts += 1;
        time::sleep(Duration::from_millis(250)).await;
    }
    let back = harness.recovers(Instant::now()).await;
    harness.notes.push(format!("cut off {cuts} times, two instances"));
    vec![harness.judged("The listener is cut off", Some(back)).await]
}

async fn is_alive_but_not_ready(harness: &mut Harness) {
    let (world, origin) = (Rc::clone(&harness.world), harness.world.origins[0].clone());
    let ready = spawn({
        let (world, origin) = (Rc::clone(&world), origin.clone());
        async move { world.wire.get(&format!("{origin}/readyz"), "").await }
    });
    let alive = world.wire.get(&format!("{origin}/healthz"), "").await;
    harness.expect(alive.status == Some(200), format!("liveness: {:?}", alive.status));
    let took = Duration::from_micros(alive.at.ended - alive.at.begun);
    harness.expect(took < Duration::from_secs(1), format!("liveness took {took:?}"));
    let ready = ready.await.expect("an answer");
    harness.expect(ready.status == Some(503), format!("readiness: {:?}", ready.status));
}

/// Requests that need the database get 503 in time; the process is alive and reports that it is not ready.
async fn answers_in_time(harness: &mut Harness, readiness: &[u16]) {
    let begun = Instant::now();
    time::sleep(CALM).await;
    let (world, origin) = (Rc::clone(&harness.world), harness.world.origins[0].clone());
    let mut asked = Vec::new();
    for path in ["/readyz", "/login", "/home", "/account/sessions"] {
        let (world, url) = (Rc::clone(&world), format!("{origin}{path}"));
        asked.push(spawn(async move { world.wire.get(&url, "latchkey=x").await }));
    }
    let fields = [("email", "p0@example.org"), ("password", "wrong-wrong-wrong-wrong")];
    let log_in = super::side_jobs::fill_in(&world, &origin, "/login", &fields).await;
    let alive = world.wire.get(&format!("{origin}/healthz"), "").await;
    harness.expect(alive.status == Some(200), format!("liveness: {:?}", alive.status));
    let mut slowest = Duration::ZERO;
    let mut ready = None;
    for (number, reply) in asked.into_iter().enumerate() {
        let reply = reply.await.expect("an answer");
        if number == 0 {
            ready = reply.status;
        }
        harness.expect(reply.status.is_some(), format!("request {number} had no answer"));
        slowest = slowest.max(Duration::from_micros(reply.at.ended - reply.at.begun));
    }
    if let Some(reply) = log_in {
        harness
            .expect(reply.status == Some(503) && reply.retry_after, format!("a log-in: {:?}", reply.status));
        slowest = slowest.max(Duration::from_micros(reply.at.ended - reply.at.begun));
    }
    // Long enough for running requests to time out.
    time::sleep(LONG_ENOUGH.saturating_sub(begun.elapsed())).await;
    slowest = slowest.max(harness.slowest());
    harness.expect(slowest <= ANSWER_WITHIN, format!("an answer took {slowest:?}"));
    harness.notes.push(format!("slowest answer {:.1} s", slowest.as_secs_f64()));
    harness.expect(ready.is_some_and(|ready| readiness.contains(&ready)), format!("readiness: {ready:?}"));
}
