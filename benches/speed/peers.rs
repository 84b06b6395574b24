//! Latchkey's guarded pages beside those of other session stacks, in production settings, with pages of one size:
//! the program asked on one core; wrk, Postgres and Redis on the other. `benches/peers` has the programs.

mod stacks;

use actix_web::rt::System;

use super::pages::wrk;
use super::place::{Place, client};
use super::report::Report;
use stacks::Stack;

const PAGES: [(&str, &str); 2] = [("/home", "home"), ("/account/sessions", "sessions_page")];

/// Just-in-time compilers and caches are given this long.
const WARM_UP: &str = "2s";
const SLICE: &str = "4s";

pub fn measure(report: &mut Report) {
    let place = Place::new();
    place.crowd(10_000);
    place.pin("1");
    let served = place.serve(Some("0"));
    let system = System::new();
    let client = client();
    let (cookie, length) = system.block_on(async {
        place.person("ada@example.org").await;
        // Once: with one row its list of sessions is about as long as the page of the others.
        let cookie = served.log_in(&client, "ada@example.org").await;
        let page =
            client.get(format!("{}/home", served.origin)).header("cookie", &cookie).send().await.unwrap();
        (cookie, page.bytes().await.unwrap().len())
    });
    eprintln!("Latchkey's /home has {length} bytes, and so will theirs.");
    let stacks = stacks::all(&place, length, &system, &client);
    for stack in &stacks {
        let cookie = system.block_on(stack.log_in(&client));
        system.block_on(stack.check(&client, &cookie, length));
        wrk(&stack.page(), Some(&cookie), WARM_UP);
    }
    for (path, _) in PAGES {
        wrk(&format!("{}{path}", served.origin), Some(&cookie), WARM_UP);
    }

    for _ in 0..report.rounds() {
        for (path, _) in PAGES {
            let seen = wrk(&format!("{}{path}", served.origin), Some(&cookie), SLICE);
            seen.note(report, &latchkey(path));
        }
        for stack in &stacks {
            // Anew each round, since a cookie cache is good for a few minutes only.
            let cookie = system.block_on(stack.log_in(&client));
            wrk(&stack.page(), Some(&cookie), SLICE).note(report, stack.name);
        }
    }
    for (path, key) in PAGES {
        for Stack { key: peer, name, .. } in &stacks {
            let ratio = report.median(&latchkey(path), "req/s") / report.median(name, "req/s");
            report.value(&format!("{key}_vs_{peer}"), ratio);
        }
    }
}

fn latchkey(path: &str) -> String {
    format!("Latchkey {path}")
}
