//! The disk is full: first the tablespace of the audit trail, then the whole data directory.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use actix_web::rt::time;

use super::harness::{CALM, Harness};
use super::outcome::Outcome;
use super::rows;
use super::side_jobs::fill_in;
use crate::history::actors::PASSWORD;
use crate::support::process::{DataDir, eventually};

/// Space for a new cluster and little else.
const SIZE: &str = "size=220m,mode=0711";

/// Its own file system in memory, for as long as this value lives.
struct Mount(String);

impl Mount {
    fn at(path: &str, options: &str) -> Option<Self> {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs", path]).output().ok()?;
        mounted.status.success().then(|| Self(path.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Processes that have it open are about to end.
        let _ = Command::new("umount").args(["--lazy", &self.0]).output();
        // It could not be removed while it was in use.
        let _ = fs::remove_dir(&self.0);
    }
}

pub async fn is_full() -> Vec<Outcome> {
    let dir = DataDir::new();
    let path = dir.path().display().to_string();
    let Some(mount) = Mount::at(&path, SIZE) else {
        return vec![Outcome {
            fault: "The disk is full".into(),
            missed: vec!["nothing may be mounted here: run it as root".into()],
            ..Outcome::default()
        }];
    };
    let mut harness = Harness::in_dir(dir, &[], |program, _| vec![program]).await;
    harness.open_app().await;
    harness.live().await;
    let mut reader = harness.running[0].as_ref().expect("a program").browser();
    reader.log_in("link297@example.org", PASSWORD).await.redirects_to("/home");
    reader.get("/account").await.is(200);

    // All remaining space, and what other processes free meanwhile.
    let filler = format!("{path}/filler");
    let before = trail(&harness);
    let begun = Instant::now();
    let (mut pages, mut refused) = (0, 0);
    while begun.elapsed() < Duration::from_secs(5) {
        fill(&filler);
        if harness.dir.postgres().is_some() && reader.get("/home").await.status == 200 {
            pages += 1;
        }
        let origin = harness.world.origins[0].clone();
        let fields = [("email", "link296@example.org"), ("password", PASSWORD)];
        if let Some(reply) = fill_in(&harness.world, &origin, "/login", &fields).await {
            refused += usize::from(reply.status == Some(503));
        }
        time::sleep(Duration::from_millis(50)).await;
    }
    harness.expect(refused > 0, "nothing was refused: the disk was not full");
    let alive = reader.get("/healthz").await.status;
    harness.expect(alive == 200, format!("liveness: {alive}"));
    fs::remove_file(&filler).expect("the filler");
    // A server that could not write its WAL has stopped, and a supervisor would start it again.
    let mut how = "Postgres went on";
    if harness.dir.postgres().is_none() {
        how = "Postgres had stopped and was started again";
        harness.start_postgres().await;
    } else {
        let url = harness.url.clone();
        eventually("a server that takes connections", async || latchkey::db::migrations::connect(&url).ok())
            .await;
    }
    let back = harness.recovers(Instant::now()).await;
    time::sleep(CALM).await;
    let after = trail(&harness);
    harness.expect(after > before, "nothing was written afterwards");
    harness.notes.push(format!("{pages} pages read, {refused} log-ins refused meanwhile; {how}"));
    let outcome = harness.judged("The disk is full", Some(back)).await;
    drop(mount);
    vec![outcome]
}

fn trail(harness: &Harness) -> usize {
    let mut conn = latchkey::db::migrations::connect(&harness.url).expect("a connection");
    rows(&mut conn, "SELECT id::text FROM audit_events").len()
}

/// Writes until the file system is full.
fn fill(path: &str) {
    use std::io::Write as _;
    let Ok(mut file) = fs::OpenOptions::new().create(true).append(true).open(path) else { return };
    let chunk = vec![1; 64 * 1024];
    while file.write_all(&chunk).is_ok() {}
    while file.write_all(&chunk[..512]).is_ok() {}
}
