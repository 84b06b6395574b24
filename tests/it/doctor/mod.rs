//! `latchkey doctor`: every finding is provoked, and one failing check does not affect the others.

pub mod app;
mod around;
mod behind_pooler;
mod database;
mod least_privilege;
mod proxy;
mod site;
mod site_tls;
mod wires;

use serde_json::Value;

use crate::support::process::Latchkey;

/// All checks in their order, including those of a site.
pub const CHECKS: [&str; 29] = [
    "settings.mode",
    "settings.secret",
    "settings.previous",
    "settings.public-url",
    "settings.hops",
    "settings.registration",
    "database.reach",
    "database.version",
    "database.writable",
    "database.latency",
    "database.tls",
    "database.durability",
    "database.clock",
    "database.messages",
    "database.migrations",
    "database.rights",
    "database.pooler",
    "database.listen",
    "sessions.instances",
    "sessions.due",
    "mail.outbox",
    "upkeep.sweep",
    "upkeep.seals",
    "audit.trail",
    "mail.server",
    "mail.from",
    "site.reach",
    "site.client-address",
    "site.headers",
];

pub const SECRET: &str = "kR7vQx2mNz8LpWc4TjYb6HdFg1Sa9EuX";
pub const PASSWORD: &str = "hunter2hunter2";

/// The findings of a run.
pub struct Findings {
    pub rows: Vec<Value>,
    pub code: Option<i32>,
}

impl Findings {
    #[track_caller]
    pub fn of(&self, check: &str) -> &Value {
        let found = self.rows.iter().find(|row| row["check"] == check);
        found.unwrap_or_else(|| panic!("nothing about {check}: {:#?}", self.rows))
    }

    /// Asserts a finding with this level and this text.
    #[track_caller]
    pub fn says(&self, check: &str, level: &str, words: &str) -> &Self {
        let row = self.of(check);
        let text = format!("{} {}", row["seen"], row["advice"]);
        assert!(row["level"] == level && text.contains(words), "{row:#}");
        // Every warning and problem comes with advice.
        assert!(row["level"] == "ok" || row["level"] == "note" || row["advice"].is_string(), "{row:#}");
        self
    }

    pub fn checks(&self) -> Vec<&str> {
        self.rows.iter().map(|row| row["check"].as_str().unwrap()).collect()
    }
}

/// Runs the doctor and parses its output: one JSON object per finding, the exit code of the worst, and no secret
/// anywhere.
#[track_caller]
pub fn doctor(latchkey: &Latchkey, arguments: &[&str]) -> Findings {
    // Both runs at once, because most of their time is waiting.
    let (ran, text) = std::thread::scope(|scope| {
        let text = scope.spawn(|| latchkey.run(&[&["doctor"][..], arguments].concat()));
        (latchkey.run(&[&["doctor", "--json"][..], arguments].concat()), text.join().unwrap())
    });
    for said in [&ran.out, &ran.err, &text.out, &text.err] {
        for secret in [SECRET, PASSWORD, "only-for-tests"] {
            assert!(!said.contains(secret), "{secret} is in {said}");
        }
    }
    let rows: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(text.out.lines().count(), rows.len(), "one line a finding: {}", text.out);
    for row in &rows {
        let mut keys: Vec<&String> = row.as_object().unwrap().keys().collect();
        keys.sort();
        assert!(keys == ["advice", "check", "level", "seen"] || keys == ["check", "level", "seen"], "{row}");
        assert!(["ok", "note", "warning", "problem"].contains(&row["level"].as_str().unwrap()), "{row}");
    }
    let problems = rows.iter().filter(|row| row["level"] == "problem").count();
    assert_eq!(ran.code, Some(i32::from(problems > 0)), "{rows:#?}");
    let last = match problems {
        0 => String::new(),
        1 => "latchkey: 1 problem\n".into(),
        more => format!("latchkey: {more} problems\n"),
    };
    assert_eq!(ran.err, last);
    Findings { rows, code: ran.code }
}
