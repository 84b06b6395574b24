//! Latchkey's guarded pages compared with those of other session stacks, with production settings and pages of equal
//! size. The program runs on one core; wrk, Postgres and Redis on the other. The programs are in `benches/peers`.

mod stacks;

use actix_web::rt::System;

use super::environment::{Environment, client};
use super::pages::wrk;
use super::report::Report;
use stacks::Stack;

const PAGES: [(&str, &str); 2] = [("/home", "home"), ("/account/sessions", "sessions_page")];

/// Time for just-in-time compilers and caches.
const WARM_UP: &str = "2s";
const SLICE: &str = "4s";

pub fn measure(report: &mut Report) {
    let environment = Environment::new();
    environment.insert_other_sessions(10_000);
    environment.pin_database("1");
    let served = environment.serve(Some("0"));
    let system = System::new();
    let client = client();
    let (cookie, length) = system.block_on(async {
        environment.create_user("ada@example.org").await;
        // Only once: with one row, its list of sessions is about as long as the pages of the others.
        let cookie = served.log_in(&client, "ada@example.org").await;
        let page =
            client.get(format!("{}/home", served.origin)).header("cookie", &cookie).send().await.unwrap();
        (cookie, page.bytes().await.unwrap().len())
    });
    eprintln!("Latchkey's /home has {length} bytes, and so will theirs.");
    let stacks = stacks::all(&environment, length, &system, &client);
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
            // In each round, because a cookie cache is valid for only a few minutes.
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
