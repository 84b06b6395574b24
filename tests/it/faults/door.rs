//! The database fails and returns, as users of an app see it: no request is passed on without a lease.

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::time;
use futures_util::future::join_all;
use nix::sys::signal::Signal;

use super::harness::Harness;
use super::outcome::Outcome;
use crate::history::apps::AppSite;
use crate::history::wire::Ask;

/// Longer than a lease, with room for a busy machine.
const LEASE_IS_OVER: Duration = Duration::from_secs(2);

const AWAY: Duration = Duration::from_secs(6);

/// Concurrent requests.
const ASKED: usize = 12;

/// No answer takes longer: two seconds for a connection, four for the statement.
const ANSWER_WITHIN: Duration = Duration::from_millis(6500);

pub async fn loses_its_database() -> Vec<Outcome> {
    let mut harness = Harness::plain().await;
    harness.open_app().await;
    harness.live().await;
    let mut back = Duration::ZERO;
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        harness.stop_postgres(signal).await;
        time::sleep(LEASE_IS_OVER).await;
        turns_all_away(&mut harness).await;
        harness.start_postgres().await;
        back = back.max(harness.recovers(Instant::now()).await);
    }
    let slowest = harness.slowest();
    harness.expect(slowest <= ANSWER_WITHIN, format!("an answer took {slowest:?}"));
    harness.notes.push(format!("slowest answer {:.1} s", slowest.as_secs_f64()));
    vec![harness.judged("An app without the database, twice", Some(back)).await]
}

/// Visitors of open pages, users with a key and senders of forms get 503; the app receives nothing, neither from them
/// nor from the load.
async fn turns_all_away(harness: &mut Harness) {
    let world = Rc::clone(&harness.world);
    let site = world.app.get().expect("an app");
    let before = site.upstream.received().len();
    let begun = Instant::now();
    let mut refused = 0;
    let page = |path: &str| format!("{}{path}", world.origins[0]);
    let (open, start, write) = (page(AppSite::OPEN), page("/"), page("/write"));
    let (own, key) =
        (format!("http://{}", site.host), "latchkey-app=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    while begun.elapsed() < AWAY {
        let asked = (0..ASKED).map(|number| match number % 3 {
            0 => Ask::page(&open, ""),
            1 => Ask::page(&start, key),
            _ => Ask::form(&write, key, &[("number", "none")]).from(&own),
        });
        let replies = join_all(asked.map(|ask| site.wire.ask(ask.at(site.host)))).await;
        for (number, reply) in replies.iter().enumerate() {
            let what = ["an open page", "a page", "a form"][number % 3];
            harness.expect(
                reply.status == Some(503) && reply.retry_after,
                format!("{what} of an app without the database: {:?}", reply.status),
            );
        }
        refused += replies.len();
    }
    let arrived = site.upstream.received().len() - before;
    harness.expect(arrived == 0, format!("{arrived} requests reached the app without a lease"));
    harness.notes.push(format!("{refused} requests refused, 0 passed on"));
}
