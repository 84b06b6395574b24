//! Whole requests to the real program, which runs on one core; wrk and the database on the other.

use actix_web::rt::System;

use super::environment::{Environment, client, on_core};
use super::report::Report;

const SLICE: &str = "4s";
const CONNECTIONS: &str = "16";

/// From the least to the most work for a request.
const PAGES: [(&str, bool); 5] =
    [("/healthz", false), ("/", false), ("/login", false), ("/home", true), ("/account/sessions", true)];

pub fn measure(report: &mut Report) {
    let environment = Environment::new();
    environment.insert_other_sessions(10_000);
    environment.pin_database("1");
    let served = environment.serve(Some("0"));
    let cookie = System::new().block_on(async {
        environment.create_user("ada@example.org").await;
        let client = client();
        for _ in 0..2 {
            served.log_in(&client, "ada@example.org").await;
        }
        served.log_in(&client, "ada@example.org").await
    });
    for _ in 0..report.rounds() {
        for (path, guarded) in PAGES {
            let who = if guarded { "with a session" } else { "open to all" };
            let name = format!("GET {path} {who}");
            let url = format!("{}{path}", served.origin);
            wrk(&url, guarded.then_some(cookie.as_str()), SLICE).note(report, &name);
        }
    }
}

pub struct Seen {
    pub per_second: f64,
    pub requests: f64,
    p50: f64,
    p99: f64,
}

impl Seen {
    pub fn note(&self, report: &mut Report, name: &str) {
        report.note(name, "req/s", self.per_second);
        report.note(name, "ms p50", self.p50);
        report.note(name, "ms p99", self.p99);
    }
}

pub fn wrk(url: &str, cookie: Option<&str>, duration: &str) -> Seen {
    let cookie: Vec<String> = cookie.map(|cookie| format!("Cookie: {cookie}")).into_iter().collect();
    wrk_with(url, &cookie, CONNECTIONS, duration)
}

/// With any headers and number of connections.
pub fn wrk_with(url: &str, headers: &[String], connections: &str, duration: &str) -> Seen {
    let mut command = on_core(Some("1"), "wrk");
    command.args(["--threads", "1", "--connections", connections, "--duration", duration, "--latency"]);
    for header in headers {
        command.args(["--header", header]);
    }
    let output = command.arg(url).output().expect("wrk: bin/bench installs it");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !text.contains("Non-2xx"), "{url}: {text}");
    let after = |label: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
        line.unwrap_or_else(|| panic!("no {label}: {text}")).trim()
    };
    let requests = text.lines().find_map(|line| line.split_once(" requests in ")?.0.trim().parse().ok());
    Seen {
        per_second: after("Requests/sec:").parse().expect("a number"),
        requests: requests.expect("how many"),
        p50: milliseconds(after("50%")),
        p99: milliseconds(after("99%")),
    }
}

/// `812.00us`, `1.20ms`, `1.01s`.
fn milliseconds(text: &str) -> f64 {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[number.len()..] {
        "us" => 0.001,
        "ms" => 1.0,
        _ => 1000.0,
    };
    number.parse::<f64>().expect("a number") * factor
}
