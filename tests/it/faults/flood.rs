//! All users log in at once.

use std::collections::BTreeMap;
use std::fs;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt::spawn;
use futures_util::future::join_all;
use latchkey::passwords::{HashCost, Hasher, Password};
use reqwest::Method;

use super::harness::Harness;
use super::outcome::Outcome;
use crate::history::actors::PASSWORD;
use crate::history::wire::Wire;

const HERD: usize = 1000;

/// The default cost of a hash.
const COST: HashCost = HashCost { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 };

/// How long a logged-in user may wait for a page, with one request per connection, on a machine that also runs the
/// flood.
const PAGE_WITHIN: Duration = Duration::from_secs(3);

/// Two concurrent hashes of 19 MiB each, a thousand connections, and the program itself.
const MOST_MEMORY: u64 = 256;

pub async fn herd() -> Vec<Outcome> {
    let mut harness = Harness::new(&[], |program, _| {
        vec![
            program
                .with("LATCHKEY__HASHING__MEMORY_KIB", COST.memory_kib)
                .with("LATCHKEY__HASHING__ITERATIONS", COST.iterations)
                .with("LATCHKEY__HASHING__PERMITS", 2),
        ]
    })
    .await;
    // Otherwise each user's first log-in would rehash the password.
    let hasher = Hasher::new(COST, 1, 1).expect("a hasher");
    let hash = hasher.hash(Password::given(PASSWORD).expect("a password")).await.expect("a hash");
    harness.execute(&format!("UPDATE users SET password_hash = '{}'", hash.as_str()));
    harness.live().await;
    let origin = harness.world.origins[0].clone();
    let form = harness.world.wire.get(&format!("{origin}/login"), "").await;
    let (token, nonce) = (form.token().expect("a token"), form.cookie("latchkey-form").expect("a nonce"));
    let before = memory(&harness, "VmRSS:");
    let asked: Vec<_> = (0..HERD)
        .map(|number| {
            let (wire, url, token, nonce) =
                (Rc::new(Wire::new()), format!("{origin}/login"), token.clone(), nonce.clone());
            spawn(async move {
                // Half of the addresses have no account.
                let email = if number % 2 == 0 {
                    format!("link{}@example.org", 40 + number / 4)
                } else {
                    format!("nobody{number}@example.org")
                };
                let fields =
                    [("csrf_token", token.as_str()), ("email", email.as_str()), ("password", PASSWORD)];
                (number % 2, wire.send(Method::POST, &url, &nonce, "herd", &fields).await)
            })
        })
        .collect();
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    let begun = Instant::now();
    for (unknown, reply) in join_all(asked).await.into_iter().map(|reply| reply.expect("an answer")) {
        let who = ["known", "unknown"][unknown];
        let status = reply.status.map_or("none".into(), |status| status.to_string());
        *told.entry(format!("{who} {status}")).or_default() += 1;
        let fits = match (unknown, reply.status) {
            (0, Some(303)) => reply.leads_to("/home"),
            (1, Some(422)) => true,
            (_, Some(503)) => reply.retry_after,
            _ => false,
        };
        harness.expect(fits, format!("{who}: {status} {}", reply.location));
    }
    let took = begun.elapsed();
    let back = harness.recovers(Instant::now()).await;
    let peak = memory(&harness, "VmHWM:");
    harness.expect(peak <= MOST_MEMORY, format!("{peak} MiB of memory"));
    let slowest = harness.slowest();
    harness.expect(slowest <= PAGE_WITHIN, format!("a logged-in user waited {slowest:?}"));
    let told: Vec<String> = told.into_iter().map(|(what, many)| format!("{many} {what}")).collect();
    harness.notes.push(format!(
        "{HERD} at once answered within {:.1} s ({}); {before} MiB before, {peak} at most; slowest page inside {:.1} s",
        took.as_secs_f64(),
        told.join(", "),
        slowest.as_secs_f64(),
    ));
    vec![harness.judged("A thousand log-ins at once", Some(back)).await]
}

/// In MiB.
pub fn memory(harness: &Harness, what: &str) -> u64 {
    let pid = harness.running[0].as_ref().expect("a program").pid();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap_or_default();
    let kib: u64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default();
    kib / 1024
}
