//! The database goes away and comes back, seen from the users of an app: no request is passed on without a lease.

use std::time::{Duration, Instant};

use actix_web::rt::time;
use nix::sys::signal::Signal;

use super::harness::Harness;
use super::outcome::Outcome;
use crate::history::apps::AppSite;
use crate::history::wire::Ask;

/// Longer than a lease, with room for a busy machine.
const LEASE_IS_OVER: Duration = Duration::from_secs(2);

const AWAY: Duration = Duration::from_secs(6);

/// No answer takes longer: two seconds for a connection, four for the statement.
const ANSWER_WITHIN: Duration = Duration::from_millis(6500);

pub async fn loses_its_database() -> Vec<Outcome> {
    let mut harness = Harness::plain().await;
    harness.open_app();
    harness.live().await;
    let mut outcomes = Vec::new();
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        harness.stop_postgres(signal).await;
        time::sleep(LEASE_IS_OVER).await;
        turns_all_away(&mut harness).await;
        harness.start_postgres().await;
        let back = harness.recovers(Instant::now()).await;
        outcomes.push(back);
    }
    let slowest = harness.slowest();
    harness.expect(slowest <= ANSWER_WITHIN, format!("an answer took {slowest:?}"));
    harness.notes.push(format!("slowest answer {:.1} s", slowest.as_secs_f64()));
    let back = outcomes.into_iter().max();
    vec![harness.judged("An app without the database, twice", back).await]
}

/// Visitors of open pages, users with a key and senders of forms get 503; the app receives nothing, neither from them nor
/// from the load.
async fn turns_all_away(harness: &mut Harness) {
    let world = std::rc::Rc::clone(&harness.world);
    let site = world.app.get().expect("an app");
    let before = site.upstream.received().len();
    let begun = Instant::now();
    let mut refused = 0;
    while begun.elapsed() < AWAY {
        let page = |path: &str| format!("{}{path}", world.origins[0]);
        let (open, start, write) = (page(AppSite::OPEN), page("/"), page("/write"));
        let (own, key) =
            (format!("http://{}", site.host), "latchkey-app=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        for (what, ask) in [
            ("an open page", Ask::page(&open, "")),
            ("a page", Ask::page(&start, key)),
            ("a form", Ask::form(&write, key, &[("number", "none")]).from(&own)),
        ] {
            let reply = site.wire.ask(ask.at(site.host)).await;
            harness.expect(
                reply.status == Some(503) && reply.retry_after,
                format!("{what} of an app without the database: {:?}", reply.status),
            );
            refused += 1;
        }
    }
    let arrived = site.upstream.received().len() - before;
    harness.expect(arrived == 0, format!("{arrived} requests reached the app without a lease"));
    harness.notes.push(format!("{refused} requests refused, 0 passed on"));
}
