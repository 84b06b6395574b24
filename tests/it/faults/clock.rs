//! The program's clock jumps, and the database's does not. `libfaketime` (Debian's `faketime`) simulates this.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::{spawn, time};
use reqwest::Method;

use super::codes;
use super::harness::{CALM, Harness};
use super::outcome::Outcome;
use crate::history::actors::PASSWORD;
use crate::support::process::DataDir;

const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

const JUMPS: [&str; 5] = ["+1h", "-1h", "+1d", "-1d", "+0"];

pub async fn jumps() -> Vec<Outcome> {
    let Some(library) = LIBRARIES.into_iter().find(|path| Path::new(path).exists()) else {
        return vec![Outcome {
            fault: "The clock jumps".into(),
            missed: vec!["libfaketime is missing: install Debian's faketime".into()],
            ..Outcome::default()
        }];
    };
    let dir = DataDir::new();
    let clock = dir.path().join("clock");
    fs::write(&clock, "+0").expect("a clock");
    let file = clock.display().to_string();
    let mut harness = Harness::new(&[], |program, _| {
        let program = program
            .with("LD_PRELOAD", library)
            .with("FAKETIME_TIMESTAMP_FILE", &file)
            .with("FAKETIME_NO_CACHE", "1")
            // The monotonic clock does not jump, as when an operator sets the clock.
            .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .with("DONT_FAKE_MONOTONIC", "1");
        vec![program]
    })
    .await;
    let codes = Rc::new(codes::enrol(&harness).await);
    harness.open_app().await;
    harness.live().await;
    harness.side_job(spawn(codes::spend(Rc::clone(&harness.world), Rc::clone(&codes))));
    // A session that has expired, and one that was revoked.
    let (mut expired, mut revoked) = (logged_in(&harness, 295).await, logged_in(&harness, 294).await);
    harness.execute("UPDATE sessions SET expires_at = now() - interval '5 minutes' FROM users WHERE users.id = principal AND email = 'link295@example.org'");
    revoked.get("/home").await.is(200);
    revoked.copy().post("/logout", &[]).await.is(303);
    // A link that expired half an hour ago.
    harness.execute("UPDATE user_tokens SET expires_at = now() - interval '30 minutes' FROM users WHERE users.id = user_id AND email = 'link290@example.org'");
    let mut slowest = Duration::ZERO;
    for jump in JUMPS {
        fs::write(&clock, jump).expect("a clock");
        let begun = Instant::now();
        slowest = slowest.max(harness.recovers(begun).await);
        time::sleep(CALM / 2).await;
        for (what, browser) in [("that ran out", &mut expired), ("that was revoked", &mut revoked)] {
            let answer = browser.get("/home").await;
            harness
                .expect(answer.is_sent_to("/login"), format!("{jump}: a session {what}: {}", answer.status));
        }
        let dead = harness.ledger.use_link(&harness.world, 290).await;
        harness.expect(
            dead.is_some_and(|status| [410, 422].contains(&status)),
            format!("{jump}: a dead link: {dead:?}"),
        );
        let told = twice(&harness, &codes).await;
        harness.expect(
            told.iter().filter(|one| **one).count() <= 1,
            format!("{jump}: a code of the app let two in"),
        );
    }
    let mut conn = latchkey::db::migrations::connect(&harness.url).expect("a connection");
    let steps = super::rows(&mut conn, "SELECT last_step::text FROM totp");
    let ahead = steps.iter().any(|step| step.parse::<i64>().expect("a number") > codes::step(&harness));
    harness.expect(!ahead, "a step of the future was accepted");
    harness.notes.push(format!("{} on a running program", JUMPS.join(", ")));
    harness.codes = Some(codes);
    vec![harness.judged("The program's clock jumps", Some(slowest)).await]
}

async fn logged_in(harness: &Harness, number: usize) -> crate::support::browser::Browser {
    let mut browser = harness.running[0].as_ref().expect("a program").browser();
    browser.log_in(&format!("link{number}@example.org"), PASSWORD).await.redirects_to("/home");
    browser
}

/// The app's code for the step before the database's current one, used twice.
async fn twice(harness: &Harness, codes: &codes::Codes) -> Vec<bool> {
    let origin = harness.world.origins[0].clone();
    let code = codes.authenticator.code(codes::step(harness));
    let mut told = Vec::new();
    for _ in 0..2 {
        let Some((cookies, token)) = codes::pending(&harness.world, &origin).await else { continue };
        let fields = [("code", code.as_str()), ("csrf_token", token.as_str())];
        let url = format!("{origin}/login/second-factor");
        let reply = harness.world.wire.send(Method::POST, &url, &cookies, "side-job", &fields).await;
        told.push(reply.leads_to("/home"));
    }
    told
}
