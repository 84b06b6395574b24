//! What a check costs: `/home` with a session, compared with the same page without a check and behind a JWT. The
//! program and the database run on one core, the load generator on the other.

use actix_web::rt::System;

use crate::environment::{Environment, RunningServer, client};
use crate::pages::wrk;
use crate::population::number;
use crate::report::Report;

/// Short slices in turn, because other load on the machine changes within seconds.
const SLICE: &str = "1s";
const TURNS: usize = 4;

/// The open page is first: the others are compared with it.
const PAGES: [(&str, &str); 4] = [
    ("open to all", "/yardstick/open"),
    ("with a session", "/home"),
    ("with a JWT, HS256", "/yardstick/hs256"),
    ("with a JWT, EdDSA", "/yardstick/eddsa"),
];

/// The ratios that have targets, computed in every turn.
const RATIOS: [(&str, Ratio); 5] = [
    ("guarded_vs_open", |[open, session, ..]| session.per_second / open.per_second),
    ("session_vs_jwt_hs256", |[_, session, hs256, _]| session.per_second / hs256.per_second),
    ("session_vs_jwt_eddsa", |[_, session, _, eddsa]| session.per_second / eddsa.per_second),
    ("check_cpu_vs_hs256", |[open, session, hs256, _]| (session.cpu - open.cpu) / (hs256.cpu - open.cpu)),
    ("check_cpu_vs_eddsa", |[open, session, _, eddsa]| (session.cpu - open.cpu) / (eddsa.cpu - open.cpu)),
];

type Ratio = fn(&[Turn; 4]) -> f64;

struct Turn {
    per_second: f64,
    /// Microseconds of CPU for each request.
    cpu: f64,
}

pub fn measure(report: &mut Report, environment: &Environment) {
    environment.pin_database("0");
    let served = environment.serve(Some("0"));
    let cookies = System::new().block_on(cookies(environment, &served));
    report.value("writes_per_request", writes(environment, &served, cookies[1].as_deref()));
    let mut ratios = RATIOS.map(|_| Vec::new());
    // The first turn warms up and is not counted.
    for turn in 0..=report.rounds() * TURNS {
        let pages: [Turn; 4] = std::array::from_fn(|page| {
            let before = served.cpu();
            let url = format!("{}{}", served.origin, PAGES[page].1);
            let seen = wrk(&url, cookies[page].as_deref(), SLICE);
            let cpu = (served.cpu() - before) * 1e6 / seen.requests;
            if turn > 0 {
                let name = format!("the page {}", PAGES[page].0);
                seen.note(report, &name);
                report.note(&name, "µs of CPU", cpu);
            }
            Turn { per_second: seen.per_second, cpu }
        });
        if turn > 0 {
            for (values, (_, ratio)) in ratios.iter_mut().zip(RATIOS) {
                values.push(ratio(&pages));
            }
        }
    }
    for (values, (key, _)) in ratios.iter().zip(RATIOS) {
        report.value_of_rounds(key, values);
    }
    environment.pin_database("0-1");
}

/// Writing transactions for each request of a user who logged in less than a minute ago. Postgres assigns an id to
/// writing transactions only.
fn writes(environment: &Environment, served: &RunningServer, cookie: Option<&str>) -> f64 {
    let written = || number(&environment.url, "pg_snapshot_xmax(pg_current_snapshot())::text");
    let before = written();
    let seen = wrk(&format!("{}/home", served.origin), cookie, SLICE);
    (written() - before) / seen.requests
}

/// The cookie for each page. The pages must then be equal, except for ids and times.
async fn cookies(environment: &Environment, served: &RunningServer) -> [Option<String>; 4] {
    environment.create_user("ada@example.org").await;
    let client = client();
    let session = served.log_in(&client, "ada@example.org").await;
    let tokens = client.get(format!("{}/yardstick/tokens", served.origin)).send().await.unwrap();
    assert!(tokens.status().is_success(), "built without the feature yardstick: use bin/bench");
    let tokens: serde_json::Value = serde_json::from_str(&tokens.text().await.unwrap()).unwrap();
    let token = |name: &str| tokens[name].as_str().map(str::to_owned);
    let cookies = [None, Some(session), token("hs256"), token("eddsa")];
    let mut sizes = Vec::new();
    for ((_, path), cookie) in PAGES.iter().zip(&cookies) {
        let request = client.get(format!("{}{path}", served.origin));
        let answer = request.header("cookie", cookie.as_deref().unwrap_or_default()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        sizes.push(answer.text().await.unwrap().len());
    }
    assert!(sizes.iter().all(|size| size.abs_diff(sizes[0]) < 16), "different pages: {sizes:?} bytes");
    cookies
}
