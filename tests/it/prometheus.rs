//! The real Prometheus reads the metrics of the real program and evaluates the rules and the dashboard.
//! `bin/check-metrics` runs it, because the package is large.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::browser::Browser;
use crate::support::process::{DataDir, Latchkey, Running, eventually, free_port};

/// A panel for failures is empty while nothing fails.
const EMPTY_WHEN_WELL: &str = "Failing, by route";

#[actix_web::test]
#[ignore = "not a test: bin/check-metrics runs it, with a Prometheus"]
async fn prometheus_takes_the_metrics_the_rules_and_every_query_of_the_dashboard() {
    let app = TestApp::spawn();
    let port = free_port();
    let latchkey = Latchkey::on(&app.db.url())
        .with("LATCHKEY__METRICS__PORT", port)
        .with("LATCHKEY__MAIL__SMTP_URL", format!("smtp://127.0.0.1:{}", free_port()));
    let running = latchkey.serve_ready().await;
    people_come(&app, &running).await;
    let told = eventually("upkeep", async || {
        let told = Browser::new(&format!("http://127.0.0.1:{port}")).get("/metrics").await.body;
        told.contains("latchkey_upkeep_age_seconds ").then_some(told)
    })
    .await;
    passes("promtool check metrics", &promtool(&["check", "metrics"], &told));
    say("metrics", format!("{} series, no lint errors", series(&told)));
    let rules = promtool(&["check", "rules", &file("alerts.yaml")], "");
    passes("promtool check rules", &rules);
    say("rules", String::from_utf8_lossy(&rules.stdout).trim().rsplit(':').next().unwrap_or_default().trim());
    passes("promtool test rules", &promtool(&["test", "rules", &file("alerts.test.yaml")], ""));
    let cases = fs::read_to_string(file("alerts.test.yaml")).unwrap().matches("- name: ").count();
    say("alerts", format!("{cases} cases fire or stay silent as expected"));

    let prometheus = Prometheus::reading(port).await;
    // A rate needs two scrapes.
    let again = r#"count_over_time(up{job="latchkey"}[1m]) >= 3"#;
    eventually("three looks", async || (!prometheus.ask(again).await.is_empty()).then_some(())).await;
    let rules = eventually("rules that were tried", async || {
        let rules = prometheus.get("/api/v1/rules").await;
        let rules = rules["data"]["groups"][0]["rules"].as_array().cloned().unwrap_or_default();
        (!rules.is_empty() && rules.iter().all(|rule| rule["health"] != "unknown")).then_some(rules)
    })
    .await;
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        // Mail fails here; nothing else does.
        assert!(rule["state"] != "firing", "{rule}");
    }
    say("rules, live", format!("{} evaluated without an error, none fires", rules.len()));
    let queries = queries();
    for (panel, query) in &queries {
        let found = prometheus.ask(query).await;
        assert!(!found.is_empty() || panel == EMPTY_WHEN_WELL, "{panel}: nothing for {query}");
    }
    say("dashboard", format!("{} queries, each returns data", queries.len()));
}

/// Causes at least one event for every counter.
async fn people_come(app: &TestApp, running: &Running) {
    let ada = app.ada().await;
    let mut browser = running.browser();
    browser.log_in(ada.email, "not-the-password-at-all").await.is(422);
    browser.log_in(ada.email, ada.password).await.redirects_to("/home");
    browser.get("/nowhere").await.is(404);
    browser.get("/account/sessions").await.is(200);
    browser.post("/account/sessions/revoke-others", &[]).await.is(303);
    browser.post_bare("/account/profile", &[("name", "Eve")]).await.is(403);
    browser.fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    running.logged("mail was not delivered").await;
}

fn series(told: &str) -> usize {
    told.lines().filter(|line| !line.starts_with('#')).count()
}

fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name).display().to_string()
}

fn say(what: &str, found: impl std::fmt::Display) {
    println!("{what:<12} {found}");
}

fn promtool(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool: bin/check-metrics installs it");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn passes(what: &str, output: &Output) {
    let said =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    assert!(output.status.success(), "{what}: {said}");
    assert!(what != "promtool check metrics" || said.trim().is_empty(), "{what}: {said}");
}

/// Every panel with each of its queries.
fn queries() -> Vec<(String, String)> {
    let dashboard = fs::read_to_string(file("grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let queries = panels.flat_map(|panel| {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default().into_iter();
        targets.map(move |target| (title.clone(), target["expr"].as_str().expect("a query").to_owned()))
    });
    let queries: Vec<_> = queries.collect();
    assert!(queries.len() > 20, "{queries:?}");
    queries
}

struct Prometheus {
    child: Child,
    origin: String,
    _place: DataDir,
}

impl Prometheus {
    /// Checks every half second.
    async fn reading(metrics: u16) -> Self {
        let (place, port) = (DataDir::new(), free_port());
        let config: PathBuf = place.path().join("prometheus.yml");
        let every = "scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms";
        let targets = format!("static_configs: [{{ targets: ['127.0.0.1:{metrics}'] }}]");
        let jobs = format!("[{{ job_name: latchkey, {targets} }}]");
        let text = format!(
            "global: {{ {every} }}\nrule_files: ['{}']\nscrape_configs: {jobs}\n",
            file("alerts.yaml")
        );
        fs::write(&config, text).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", place.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .spawn()
            .expect("prometheus: bin/check-metrics installs it");
        let origin = format!("http://127.0.0.1:{port}");
        let this = Self { child, origin, _place: place };
        eventually("a Prometheus", async || {
            let asked = reqwest::get(format!("{}/-/ready", this.origin)).await;
            asked.is_ok_and(|answer| answer.status() == 200).then_some(())
        })
        .await;
        this
    }

    async fn get(&self, path: &str) -> Value {
        let answer = reqwest::get(format!("{}{path}", self.origin)).await.expect("an answer");
        let text = answer.text().await.expect("text");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The series that a query returns now.
    async fn ask(&self, query: &str) -> Vec<Value> {
        let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let answer = self.get(&format!("/api/v1/query?query={encoded}")).await;
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().expect("series").clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
