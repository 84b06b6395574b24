//! What the real program says of itself in numbers, on a port of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::app::TestApp;
use crate::support::browser::Browser;
use crate::support::process::{Latchkey, eventually, free_port};

/// Each series with its value. Strict: what Prometheus would not take fails.
fn read(text: &str) -> BTreeMap<String, f64> {
    let mut series = BTreeMap::new();
    let mut kinds = BTreeMap::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# ") {
            let [what, name, rest] = head.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            match what {
                "HELP" => assert!(!rest.is_empty(), "{line}"),
                "TYPE" => {
                    assert!(["counter", "gauge", "histogram"].contains(&rest), "{line}");
                    assert!(kinds.insert(name.to_owned(), rest.to_owned()).is_none(), "{name} comes twice");
                }
                _ => panic!("{line}"),
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let bare = name.split('{').next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| bare.strip_suffix(end));
        let kind = kinds.get(bare).or_else(|| kinds.get(family.unwrap_or(bare)));
        let kind = kind.unwrap_or_else(|| panic!("{bare} has no type"));
        assert!(kind != "counter" || bare.ends_with("_total"), "{bare}");
        assert!(bare.starts_with("latchkey_") && name.matches('"').count() % 2 == 0, "{line}");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(value >= 0.0 && series.insert(name.to_owned(), value).is_none(), "{line}");
    }
    series
}

async fn scrape(port: u16) -> BTreeMap<String, f64> {
    let answer = Browser::new(&format!("http://127.0.0.1:{port}")).get("/metrics").await;
    answer.is(200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    read(&answer.body)
}

#[actix_web::test]
async fn what_happens_is_counted_on_a_port_of_its_own() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let port = free_port();
    let latchkey = Latchkey::on(&app.db.url())
        .with("LATCHKEY__METRICS__PORT", port)
        .with("LATCHKEY__METRICS__BIND", "127.0.0.1");
    let running = latchkey.serve_ready().await;
    let mut browser = running.browser();
    browser.log_in(ada.email, "not-the-password-at-all").await.is(422);
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");
    // From memory, once the lease is there.
    eventually("a session out of memory", async || {
        browser.get("/home").await.is(200);
        (scrape(port).await["latchkey_session_loads_total{from=\"hit\"}"] >= 2.0).then_some(())
    })
    .await;
    running.browser().get("/home").await.is(303);
    browser.get("/no/such/secret-path?token=hidden").await.is(404);
    browser.get("/metrics").await.is(404);
    browser.get("/account").await.is(200);
    browser.post_bare("/account/profile", &[("name", "Eve")]).await.is(403);
    browser.post("/logout", &[]).await.is(303);
    let seen = scrape(port).await;
    assert!(seen["latchkey_requests_total{route=\"/home\",status=\"2xx\"}"] >= 2.0);
    assert_eq!(seen["latchkey_requests_total{route=\"/login\",status=\"4xx\"}"], 1.0);
    assert_eq!(seen["latchkey_requests_total{route=\"/logout\",status=\"3xx\"}"], 1.0);
    assert_eq!(seen["latchkey_requests_total{route=\"other\",status=\"4xx\"}"], 2.0);
    assert_eq!(seen["latchkey_refusals_total{why=\"log-in\"}"], 1.0);
    assert_eq!(seen["latchkey_refusals_total{why=\"foreign-form\"}"], 1.0);
    assert!(seen["latchkey_revocation_seconds_count"] >= 1.0);
    assert_eq!(
        seen["latchkey_revocation_seconds_bucket{le=\"+Inf\"}"],
        seen["latchkey_revocation_seconds_count"]
    );
    assert_eq!(seen["latchkey_lease_held"], 1.0);
    assert_eq!(seen["latchkey_hashes_running"], 0.0);
    assert!(seen["latchkey_pool_wait_seconds_count"] > 0.0 && seen["latchkey_pool_connections_max"] > 0.0);
    assert!(seen.contains_key("latchkey_outbox_due"));
    let all: String = seen.keys().cloned().collect();
    for word in ["secret-path", "hidden", "ada@", "Ada", &browser.token] {
        assert!(!all.contains(word), "{word} is a label");
    }
    // Nothing else is there.
    Browser::new(&format!("http://127.0.0.1:{port}")).get("/login").await.is(404);
}

#[actix_web::test]
async fn without_the_setting_there_is_no_such_port_and_a_taken_one_stops_the_start() {
    let app = TestApp::spawn();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let latchkey = Latchkey::on(&app.db.url());
    let ran = latchkey.clone().with("LATCHKEY__METRICS__PORT", port).run(&["serve"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains(&format!("cannot listen on 0.0.0.0:{port} for metrics: ")), "{}", ran.err);
    drop(taken);
    let _running = latchkey.serve_ready().await;
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

/// Names of metrics in a text, without what a histogram adds.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let bare = |word: &str| {
        let end = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
        end.unwrap_or(word).to_owned()
    };
    words.filter(|word| word.starts_with("latchkey_")).map(bare).collect()
}

#[actix_web::test]
async fn documentation_alerts_and_dashboard_know_the_metrics_there_are() {
    let app = TestApp::spawn();
    let port = free_port();
    let latchkey = Latchkey::on(&app.db.url()).with("LATCHKEY__METRICS__PORT", port);
    let _running = latchkey.serve_ready().await;
    let answer = eventually("upkeep", async || {
        let answer = Browser::new(&format!("http://127.0.0.1:{port}")).get("/metrics").await;
        answer.body.contains("latchkey_upkeep_age_seconds ").then_some(answer)
    })
    .await;
    let heads = answer.body.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let exposed: BTreeSet<String> =
        heads.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
    assert!(exposed.len() > 12, "{exposed:?}");
    let file = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    assert_eq!(names(&file("docs/observability.md")), exposed);
    for path in ["deploy/alerts.yaml", "deploy/grafana-dashboard.json"] {
        let used = names(&file(path));
        assert!(used.len() > 6 && used.is_subset(&exposed), "{path}: {used:?}");
    }
    serde_json::from_str::<serde_json::Value>(&file("deploy/grafana-dashboard.json")).expect("JSON");
}
