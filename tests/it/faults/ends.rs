//! The shutdown of a program whose database hangs.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::rows;
use crate::support::app::TestApp;
use crate::support::process::Latchkey;

/// The program waits for the last writes, but not forever.
const SOON: Duration = Duration::from_secs(15);

#[actix_web::test]
async fn it_stops_although_a_write_waits_for_a_database_that_hangs() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut running = Latchkey::on(&app.db.url()).serve_ready().await;
    let mut browser = running.browser();
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");
    app.db.execute("UPDATE sessions SET last_seen_at = last_seen_at - interval '5 minutes'");
    browser.get("/home").await.is(200);

    let pids = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let stopped: Vec<Pid> = rows(&mut app.db.connect(), pids)
        .iter()
        .map(|pid| Pid::from_raw(pid.parse().expect("a number")))
        .collect();
    for pid in &stopped {
        kill(*pid, Signal::SIGSTOP).expect("a backend");
    }
    let begun = Instant::now();
    running.signal(Signal::SIGTERM);
    let ended = actix_web::rt::time::timeout(SOON, running.ended()).await;
    for pid in &stopped {
        kill(*pid, Signal::SIGCONT).expect("a backend");
    }
    let (status, log) = ended.unwrap_or_else(|_| panic!("no end within {SOON:?}"));
    assert_eq!(status.code(), Some(0), "{log:#?}");
    println!("ended after {:?}", begun.elapsed());
}
