//! The metrics of the real program, served on a separate port.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::mail::MailServer;
use crate::passkeys::{asked_to_log_in, refuses};
use crate::support::app::TestApp;
use crate::support::authenticator::Authenticator;
use crate::support::browser::Browser;
use crate::support::process::{Latchkey, eventually, free_port};

/// Prefixes of our metrics; the second is that of any process.
const OURS: [&str; 2] = ["latchkey_", "process_"];

/// Each series with its value. Strict: fails for everything that Prometheus would refuse.
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
        assert!(
            OURS.iter().any(|start| bare.starts_with(start)) && name.matches('"').count() % 2 == 0,
            "{line}"
        );
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
async fn metrics_are_served_on_a_separate_port() {
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
    // From memory, once the instance has a lease.
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
    let answers = |method: &str, route: &str, guard: &str, status: &str| {
        let row = format!("method=\"{method}\",route=\"{route}\",guard=\"{guard}\"");
        let counted = format!("latchkey_requests_total{{{row},status=\"{status}\"}}");
        assert!(seen[&format!("latchkey_request_seconds_count{{{row}}}")] >= seen[&counted], "{row}");
        seen[&counted]
    };
    assert!(answers("GET", "/home", "signed-in", "2xx") >= 2.0);
    assert_eq!(answers("GET", "/login", "visitor", "2xx"), 2.0);
    assert_eq!(answers("POST", "/login", "visitor", "4xx"), 1.0);
    assert_eq!(answers("POST", "/login", "visitor", "3xx"), 1.0);
    assert_eq!(answers("POST", "/logout", "visitor", "3xx"), 1.0);
    assert_eq!(answers("other", "other", "none", "4xx"), 2.0);
    assert_eq!(seen["latchkey_log_ins_total{way=\"password\",outcome=\"in\"}"], 1.0);
    assert_eq!(seen["latchkey_log_ins_total{way=\"password\",outcome=\"refused\"}"], 1.0);
    if cfg!(target_os = "linux") {
        assert!(seen["process_resident_memory_bytes"] > 4e6 && seen["process_cpu_seconds_total"] > 0.0);
        assert!(seen["process_open_fds"] > 3.0 && seen["process_open_fds"] < seen["process_max_fds"]);
        let began = UNIX_EPOCH.elapsed().unwrap().as_secs_f64() - seen["process_start_time_seconds"];
        assert!((-2.0..600.0).contains(&began), "it began {began} s ago");
    }
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
    // No other path exists.
    Browser::new(&format!("http://127.0.0.1:{port}")).get("/login").await.is(404);
}

#[actix_web::test]
async fn a_log_in_is_counted_by_its_way_and_by_how_it_ended() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let (authenticator, _) = app.enrol(&mut app.logged_in(&ada).await).await;
    let port = free_port();
    let latchkey = Latchkey::on(&app.db.url())
        .with("LATCHKEY__METRICS__PORT", port)
        .with("LATCHKEY__DATABASE__CHECKOUT_WAIT", "1s")
        .with("LATCHKEY__THROTTLE__ACCOUNT_FREE", "1");
    let running = latchkey.serve_ready().await;
    let counted = async |way: &str, outcome: &str| {
        scrape(port).await[&format!("latchkey_log_ins_total{{way=\"{way}\",outcome=\"{outcome}\"}}")]
    };
    let mut browser = running.browser();
    browser.log_in(ada.email, ada.password).await.redirects_to("/login/second-factor");
    assert_eq!(counted("password", "second-factor").await, 1.0);
    browser.get("/login/second-factor").await.is(200);
    let wrong = authenticator.wrong_code(&app);
    browser.post("/login/second-factor", &[("code", &wrong)]).await.is(422);
    assert_eq!(counted("second-factor", "refused").await, 1.0);
    assert_eq!(counted("second-factor", "in").await, 0.0);
    let right = app.fresh_code(&authenticator);
    browser.post("/login/second-factor", &[("code", &right)]).await.redirects_to("/home");
    assert_eq!(counted("second-factor", "in").await, 1.0);
    assert_eq!(counted("password", "in").await, 0.0);
    // A passkey answer to a challenge that was never issued.
    let mut stranger = running.browser();
    stranger.get("/login").await.is(200);
    let answer = Authenticator::new(&running.origin).sign(&asked_to_log_in(&mut stranger).await);
    refuses(&stranger.post_json("/login/passkey/finish", &answer).await, "unknown");
    assert_eq!(counted("passkey", "refused").await, 1.0);
    for status in [422, 422, 429] {
        running.browser().log_in(grace.email, "not-the-password-at-all").await.is(status);
    }
    assert_eq!(counted("password", "refused").await, 2.0);
    assert_eq!(counted("password", "throttled").await, 1.0);
    stranger.get("/login").await.is(200);
    app.db.cut_off();
    let fields = [("email", ada.email), ("password", ada.password)];
    stranger.post("/login", &fields).await.is(503);
    assert_eq!(counted("password", "fault").await, 1.0);
    app.db.restore();
}

#[actix_web::test]
async fn letters_are_counted_when_the_mail_server_took_them_and_when_it_did_not() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (port, mail) = (free_port(), free_port());
    let latchkey = Latchkey::on(&app.db.url())
        .with("LATCHKEY__METRICS__PORT", port)
        .with("LATCHKEY__MAIL__SMTP_URL", format!("smtp://127.0.0.1:{mail}"));
    let running = latchkey.serve_ready().await;
    let counted =
        async |outcome: &str| scrape(port).await[&format!("latchkey_letters_total{{outcome=\"{outcome}\"}}")];
    let asked = running.browser().fill_in("/forgot-password", &[("email", ada.email)]).await;
    asked.redirects_to("/forgot-password/sent");
    eventually("a failure", async || (counted("failed").await == 1.0).then_some(())).await;
    assert_eq!(counted("delivered").await, 0.0);
    let _server = MailServer::start_on(mail);
    app.db.execute("UPDATE outbox SET next_attempt_at = now()");
    // The next email wakes the deliverer.
    running.browser().fill_in("/forgot-password", &[("email", ada.email)]).await;
    eventually("two letters", async || (counted("delivered").await == 2.0).then_some(())).await;
    assert_eq!(counted("failed").await, 1.0);
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

/// Dashboards and alerts elsewhere depend on each of these lines.
#[actix_web::test]
async fn names_types_help_texts_and_labels_of_the_metrics_are_frozen() {
    let app = TestApp::spawn();
    let port = free_port();
    let latchkey = Latchkey::on(&app.db.url()).with("LATCHKEY__METRICS__PORT", port);
    let running = latchkey.serve_ready().await;
    running.browser().get("/login").await.is(200);
    let exposed = eventually("upkeep", async || {
        let answer = Browser::new(&format!("http://127.0.0.1:{port}")).get("/metrics").await;
        answer.body.contains("latchkey_upkeep_age_seconds ").then_some(answer.body)
    })
    .await;
    // Which other routes were requested depends on how long the start took.
    let is_other = |line: &str| line.starts_with("latchkey_request") && !line.contains("route=\"/login\"");
    let without_value = |line: &str| match line.starts_with('#') {
        true => line.to_owned(),
        false => line.rsplit_once(' ').map_or(line, |(series, _)| series).to_owned(),
    };
    let version = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"");
    let lines = exposed.lines().filter(|line| !is_other(line));
    let lines: Vec<String> =
        lines.map(|line| without_value(line).replace(version, "version=\"…\"")).collect();
    let has_processes = cfg!(target_os = "linux");
    let frozen = include_str!("fixtures/metrics.txt").lines();
    let frozen: Vec<&str> = frozen.filter(|line| has_processes || !line.contains("process_")).collect();
    assert_eq!(lines, frozen);
}

/// The names of the metrics in a text, without the suffixes of histograms.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let bare = |word: &str| {
        let end = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
        end.unwrap_or(word).to_owned()
    };
    words.filter(|word| OURS.iter().any(|start| word.starts_with(start) && word != start)).map(bare).collect()
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
    let documented = names(&file("docs/observability.md"));
    // The process metrics exist on Linux only.
    let here = |name: &&String| cfg!(target_os = "linux") || !name.starts_with("process_");
    assert_eq!(documented.iter().filter(here).cloned().collect::<BTreeSet<_>>(), exposed);
    for path in ["deploy/alerts.yaml", "deploy/grafana-dashboard.json"] {
        let used = names(&file(path));
        assert!(used.len() > 6 && used.is_subset(&documented), "{path}: {used:?}");
    }
    // bin/check-metrics tests their meaning with Prometheus.
    let (alerts, tried) = (file("deploy/alerts.yaml"), file("deploy/alerts.test.yaml"));
    for name in alerts.split("- alert: ").skip(1).filter_map(|rule| rule.split_whitespace().next()) {
        assert!(tried.contains(&format!("alertname=\"{name}\"")), "nothing makes {name} ring");
    }
    assert_eq!(alerts.matches("- alert: ").count(), alerts.matches(" todo: ").count());
    serde_json::from_str::<serde_json::Value>(&file("deploy/grafana-dashboard.json")).expect("JSON");
}
