//! The program's clock jumps, and the database's does not. `libfaketime` (Debian's `faketime`) makes it believe so.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::{spawn, time};
use reqwest::Method;

use super::codes;
use super::outcome::Outcome;
use super::rig::{CALM, Rig};
use crate::history::visitors::PASSWORD;
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
    let mut rig = Rig::new(&[], |program, _| {
        let program = program
            .with("LD_PRELOAD", library)
            .with("FAKETIME_TIMESTAMP_FILE", &file)
            .with("FAKETIME_NO_CACHE", "1")
            // The monotonic clock runs on, as it does when an operator sets the clock.
            .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .with("DONT_FAKE_MONOTONIC", "1");
        vec![program]
    })
    .await;
    let codes = Rc::new(codes::enrol(&rig).await);
    rig.live().await;
    rig.errand(spawn(codes::spend(Rc::clone(&rig.world), Rc::clone(&codes))));
    // One that has run out, and one that was revoked.
    let (mut expired, mut revoked) = (logged_in(&rig, 295).await, logged_in(&rig, 294).await);
    rig.execute("UPDATE sessions SET expires_at = now() - interval '5 minutes' FROM users WHERE users.id = principal AND email = 'link295@example.org'");
    revoked.get("/home").await.is(200);
    revoked.copy().post("/logout", &[]).await.is(303);
    // A link that ran out half an hour ago.
    rig.execute("UPDATE user_tokens SET expires_at = now() - interval '30 minutes' FROM users WHERE users.id = user_id AND email = 'link290@example.org'");
    let mut slowest = Duration::ZERO;
    for jump in JUMPS {
        fs::write(&clock, jump).expect("a clock");
        let begun = Instant::now();
        slowest = slowest.max(rig.recovers(begun).await);
        time::sleep(CALM / 2).await;
        for (what, browser) in [("that ran out", &mut expired), ("that was revoked", &mut revoked)] {
            let answer = browser.get("/home").await;
            rig.expect(answer.is_sent_to("/login"), format!("{jump}: a session {what}: {}", answer.status));
        }
        let dead = rig.ledger.use_link(&rig.world, 290).await;
        rig.expect(
            dead.is_some_and(|status| [410, 422].contains(&status)),
            format!("{jump}: a dead link: {dead:?}"),
        );
        let told = twice(&rig, &codes).await;
        rig.expect(
            told.iter().filter(|one| **one).count() <= 1,
            format!("{jump}: a code of the app let two in"),
        );
    }
    let mut conn = latchkey::db::migrations::connect(&rig.url).expect("a connection");
    let steps = super::rows(&mut conn, "SELECT last_step::text FROM totp");
    let ahead = steps.iter().any(|step| step.parse::<i64>().expect("a number") > codes::step(&rig));
    rig.expect(!ahead, "a step of the future was accepted");
    rig.notes.push(format!("{} on a running program", JUMPS.join(", ")));
    rig.codes = Some(codes);
    vec![rig.judged("The program's clock jumps", Some(slowest)).await]
}

async fn logged_in(rig: &Rig, number: usize) -> crate::support::browser::Browser {
    let mut browser = rig.running[0].as_ref().expect("a program").browser();
    browser.log_in(&format!("link{number}@example.org"), PASSWORD).await.redirects_to("/home");
    browser
}

/// The code of the app for the step before the database's, and again.
async fn twice(rig: &Rig, codes: &codes::Codes) -> Vec<bool> {
    let origin = rig.world.origins[0].clone();
    let code = codes.authenticator.code(codes::step(rig));
    let mut told = Vec::new();
    for _ in 0..2 {
        let Some((cookies, token)) = codes::pending(&rig.world, &origin).await else { continue };
        let fields = [("code", code.as_str()), ("csrf_token", token.as_str())];
        let url = format!("{origin}/login/second-factor");
        let reply = rig.world.wire.send(Method::POST, &url, &cookies, "errand", &fields).await;
        told.push(reply.leads_to("/home"));
    }
    told
}
