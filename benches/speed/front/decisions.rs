//! Decisions that are asked directly, as a proxy asks, compared with `/healthz` of the same instance. The instances run on
//! one core, the load generator and the database on the other.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;

use actix_web::rt::System;
use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use latchkey::db::migrations;

use super::enter::{EnteredApp, PortalUser};
use super::{BROWSER, PAGE};
use crate::environment::{Environment, RunningServer, free_port, pin_self};
use crate::pages::{Seen, wrk_with};
use crate::report::Report;

const CONNECTIONS: &str = "32";
const SLICE: &str = "1s";
const TURNS: usize = 4;

const GROUPS: usize = 5;
const RULES: usize = 20;
const MANY_APPS: usize = 1000;

/// First visits of users who are logged in at the portal.
const FIRST_VISITS: usize = 50;

/// An instance with apps, one of which a user has entered.
pub struct Deciding {
    pub environment: Environment,
    pub served: RunningServer,
    pub listener: u16,
    pub app: EnteredApp,
    ada: PortalUser,
}

impl Deciding {
    /// Each app has this many rules; the last one lets in the members of five groups. The user enters the first app.
    pub fn start(apps: usize, rules: usize) -> Self {
        let environment = Environment::new();
        environment.insert_other_sessions(10_000);
        environment.pin_database("1");
        pin_self("1");
        let listener = free_port();
        let served = environment.serve_with(Some("0"), &[("LATCHKEY__FRONT__PORT", &listener.to_string())]);
        let port = served.port();
        let groups: Vec<String> = (0..GROUPS).map(|number| format!("\"group-{number}\"")).collect();
        let mut text = String::new();
        for app in 0..apps {
            let name = if app == 0 { "bench".to_owned() } else { format!("bench-{app}") };
            let _ = writeln!(
                text,
                "[apps.{name}]\nname = \"Bench\"\norigins = [\"http://{name}.localhost:{port}\"]\n\
                 mode = \"forward-auth\""
            );
            for rule in 1..rules {
                let _ = writeln!(text, "[[apps.{name}.rules]]\nbelow = \"/part/{rule}\"\nrole = \"admin\"");
            }
            let _ = writeln!(text, "[[apps.{name}.rules]]\nall = true\ngroups = [{}]", groups.join(", "));
        }
        let file = environment.dir().join("apps.toml");
        fs::write(&file, text).expect("a file");
        for number in 0..GROUPS {
            environment.execute(&format!("INSERT INTO groups (name) VALUES ('group-{number}')"));
        }
        served.run(&environment, &["app".as_ref(), "apply".as_ref(), file.as_os_str()]);
        let host = format!("bench.localhost:{port}");
        let (ada, key) = System::new().block_on(async {
            let ada = PortalUser::log_in(&environment, &served).await;
            for number in 0..GROUPS {
                let (group, email) = (format!("group-{number}"), "ada@example.org");
                let join = ["group", "join", &group, email].map(OsStr::new);
                served.run(&environment, &join);
            }
            let key = ada.enter(&host).await;
            (ada, key)
        });
        Self { environment, served, listener, ada, app: EnteredApp { host, key } }
    }

    /// As nginx asks about a page of the app.
    fn question(&self) -> Vec<String> {
        let mut headers: Vec<String> = BROWSER.iter().map(|header| (*header).to_owned()).collect();
        headers.push(format!("X-Original-URL: http://{}{PAGE}", self.app.host));
        headers.push("X-Original-Method: GET".to_owned());
        headers.push("X-Forwarded-For: 192.0.2.7".to_owned());
        headers.push(format!("Cookie: theme=dark; {}; _ga=GA1.1.123456", self.app.key));
        headers
    }

    fn decide(&self) -> Load {
        self.load(&format!("http://127.0.0.1:{}/decide/nginx/bench", self.listener))
    }

    fn load(&self, url: &str) -> Load {
        let before = self.served.cpu();
        let seen = wrk_with(url, &self.question(), CONNECTIONS, SLICE);
        Load { cpu: (self.served.cpu() - before) * 1e6 / seen.requests, seen }
    }

    /// Writing transactions so far. Postgres assigns an id to writing transactions only.
    fn written(&self) -> f64 {
        #[derive(QueryableByName)]
        struct Snapshot {
            #[diesel(sql_type = Text)]
            next: String,
        }
        let mut conn = migrations::connect(&self.environment.url).expect("a connection");
        let query = sql_query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next");
        let Snapshot { next } = query.get_result(&mut conn).expect("a number");
        next.parse().expect("a number")
    }
}

struct Load {
    seen: Seen,
    /// Microseconds for each request.
    cpu: f64,
}

pub fn measure(report: &mut Report) {
    let (one, many) = (Deciding::start(1, 1), Deciding::start(MANY_APPS, RULES));
    let [mut rates, mut costs, mut apps, mut direct] = [const { Vec::new() }; 4];
    // The first turn warms up and is not counted.
    for turn in 0..=report.rounds() * TURNS {
        let health = many.load(&format!("{}/healthz", many.served.origin));
        let decided = many.decide();
        let simple = one.decide();
        if turn == 0 {
            continue;
        }
        for (name, load) in [
            ("GET /healthz", &health),
            ("a decision, 1,000 apps with 20 rules", &decided),
            ("a decision, 1 app with 1 rule", &simple),
        ] {
            load.seen.note(report, name);
            report.note(name, "µs of CPU", load.cpu);
        }
        rates.push(decided.seen.per_second / health.seen.per_second);
        costs.push(decided.cpu - health.cpu);
        apps.push(decided.seen.per_second / simple.seen.per_second);
        direct.push(decided.seen.per_second);
    }
    report.value_of_rounds("decision_vs_healthz", &rates);
    report.value_of_rounds("decisions_per_second", &direct);
    report.value_of_rounds("decision_cpu_over_healthz_us", &costs);
    report.value_of_rounds("decision_1000_apps_vs_1", &apps);
    let before = one.written();
    let seen = one.decide().seen;
    report.value("writes_per_decision", (one.written() - before) / seen.requests);
    let before = one.written();
    System::new().block_on(async {
        for _ in 0..FIRST_VISITS {
            one.ada.enter(&one.app.host).await;
        }
    });
    report.value("writes_per_first_visit", (one.written() - before) / FIRST_VISITS as f64);
}
