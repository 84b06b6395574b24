//! The mail server refuses connections, or accepts them and stays silent: users notice nothing, and no email is lost.

use std::time::{Duration, Instant};

use actix_web::rt::time;

use super::harness::{CALM, Harness};
use super::outcome::Outcome;
use super::rows;
use crate::mail::{MailServer, SilentServer};
use crate::support::process::{eventually, free_port};

/// No request waits for mail: a registration takes a hash and two transactions.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

const DUE: &str = "UPDATE outbox SET next_attempt_at = now() - interval '1 minute' WHERE sent_at IS NULL";

pub async fn is_down() -> Vec<Outcome> {
    // The mail server refuses connections, then accepts them.
    let port = free_port();
    let mut harness = Harness::new(&[], |program, _| vec![at(program, port)]).await;
    harness.live().await;
    time::sleep(CALM).await;
    answers_alike(&mut harness).await;
    let mut conn = latchkey::db::migrations::connect(&harness.url).expect("a connection");
    let tried =
        rows(&mut conn, "SELECT attempts::text FROM outbox WHERE attempts > 0 AND next_attempt_at > now()");
    harness.expect(!tried.is_empty(), "no letter waits for another attempt");
    let server = MailServer::start_on(port);
    let begun = Instant::now();
    harness.execute(DUE);
    // The deliverer looks every ten seconds, and earlier when there is a new email.
    eventually("a letter", async || (server.count() > 0).then_some(())).await;
    let back = begun.elapsed();
    harness.world.over.set(true);
    eventually("every letter", async || {
        let left = rows(&mut conn, "SELECT id::text FROM outbox WHERE sent_at IS NULL");
        harness.execute(DUE);
        left.is_empty().then_some(())
    })
    .await;
    harness.notes.push(format!("{} letters tried in vain, {} arrived", tried.len(), server.count()));
    let refused = harness.judged("The mail server refuses", Some(back)).await;

    let silent = SilentServer::start();
    let mut harness = Harness::new(&[], |program, _| vec![at(program, silent.port)]).await;
    harness.live().await;
    time::sleep(CALM).await;
    answers_alike(&mut harness).await;
    harness.expect(silent.waiting() > 0, "no instance connected to the mail server");
    harness.notes.push(format!("{} connections to it wait", silent.waiting()));
    vec![refused, harness.judged("The mail server says nothing", None).await]
}

fn at(program: crate::support::process::Latchkey, port: u16) -> crate::support::process::Latchkey {
    program.with("LATCHKEY__MAIL__SMTP_URL", format!("smtp://127.0.0.1:{port}"))
}

/// Addresses with and without an account get the same answer.
async fn answers_alike(harness: &mut Harness) {
    let origin = harness.world.origins[0].clone();
    let mut slowest = Duration::ZERO;
    for email in ["p0@example.org", "nobody@example.org"] {
        let fields = [("email", email)];
        let reply = super::side_jobs::fill_in(&harness.world, &origin, "/forgot-password", &fields)
            .await
            .expect("a form");
        harness.expect(
            reply.leads_to("/forgot-password/sent"),
            format!("forgotten, {email}: {:?}", reply.status),
        );
        slowest = slowest.max(Duration::from_micros(reply.at.ended - reply.at.begun));
    }
    harness.expect(slowest <= ANSWERED_WITHIN, format!("a request waited {slowest:?} for mail"));
    harness.notes.push(format!("slowest answer {:.2} s", slowest.as_secs_f64()));
}
