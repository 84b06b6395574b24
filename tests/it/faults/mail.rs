//! The mail server refuses connections, or accepts them and stays silent: users notice nothing, and no email is lost.

use std::time::{Duration, Instant};

use actix_web::rt::time;

use super::outcome::Outcome;
use super::rig::{CALM, Rig};
use super::rows;
use crate::mail::{MailServer, SilentServer};
use crate::support::process::{eventually, free_port};

/// No request waits for mail: a registration costs a hash and two transactions.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

const DUE: &str = "UPDATE outbox SET next_attempt_at = now() - interval '1 minute' WHERE sent_at IS NULL";

pub async fn is_down() -> Vec<Outcome> {
    // Refused, and then there.
    let port = free_port();
    let mut rig = Rig::new(&[], |program, _| vec![at(program, port)]).await;
    rig.live().await;
    time::sleep(CALM).await;
    answers_alike(&mut rig).await;
    let mut conn = latchkey::db::migrations::connect(&rig.url).expect("a connection");
    let tried =
        rows(&mut conn, "SELECT attempts::text FROM outbox WHERE attempts > 0 AND next_attempt_at > now()");
    rig.expect(!tried.is_empty(), "no letter waits for another attempt");
    let server = MailServer::start_on(port);
    let begun = Instant::now();
    rig.execute(DUE);
    // It looks every ten seconds by itself, and sooner when there is something new.
    eventually("a letter", async || (server.count() > 0).then_some(())).await;
    let back = begun.elapsed();
    rig.world.over.set(true);
    eventually("every letter", async || {
        let left = rows(&mut conn, "SELECT id::text FROM outbox WHERE sent_at IS NULL");
        rig.execute(DUE);
        left.is_empty().then_some(())
    })
    .await;
    rig.notes.push(format!("{} letters tried in vain, {} arrived", tried.len(), server.count()));
    let refused = rig.judged("The mail server refuses", Some(back)).await;

    let silent = SilentServer::start();
    let mut rig = Rig::new(&[], |program, _| vec![at(program, silent.port)]).await;
    rig.live().await;
    time::sleep(CALM).await;
    answers_alike(&mut rig).await;
    rig.expect(silent.waiting() > 0, "no instance connected to the mail server");
    rig.notes.push(format!("{} connections to it wait", silent.waiting()));
    vec![refused, rig.judged("The mail server says nothing", None).await]
}

fn at(program: crate::support::process::Latchkey, port: u16) -> crate::support::process::Latchkey {
    program.with("LATCHKEY__MAIL__SMTP_URL", format!("smtp://127.0.0.1:{port}"))
}

/// Addresses with and without an account get the same answer.
async fn answers_alike(rig: &mut Rig) {
    let origin = rig.world.origins[0].clone();
    let mut slowest = Duration::ZERO;
    for email in ["p0@example.org", "nobody@example.org"] {
        let fields = [("email", email)];
        let reply =
            super::errands::fill_in(&rig.world, &origin, "/forgot-password", &fields).await.expect("a form");
        rig.expect(
            reply.leads_to("/forgot-password/sent"),
            format!("forgotten, {email}: {:?}", reply.status),
        );
        slowest = slowest.max(Duration::from_micros(reply.at.ended - reply.at.begun));
    }
    rig.expect(slowest <= ANSWERED_WITHIN, format!("a request waited {slowest:?} for mail"));
    rig.notes.push(format!("slowest answer {:.2} s", slowest.as_secs_f64()));
}
