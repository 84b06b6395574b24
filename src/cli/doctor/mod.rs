//! `latchkey doctor`: checks what the program depends on, and reports for each check what it found and what to do.
//! Changes nothing, prints no secret, and always ends: every check has a timeout.

mod app;
mod bounded;
mod check;
mod connection;
mod database;
mod finding;
mod http;
mod mail;
mod maintenance;
mod settings;
mod site;
mod websocket;

use std::thread;
use std::time::Duration;

use clap::Args;

use super::Failure;
use crate::config::{Misconfigured, Settings};
use bounded::{bounded, failed};
use finding::{Finding, Level, problem};

#[derive(Args)]
pub struct DoctorOptions {
    /// Also send requests to the running instance, at its public address.
    #[arg(long, value_name = "https://…")]
    url: Option<String>,
    /// Check only the app at this origin, as its users reach it.
    #[arg(long, value_name = "https://…", conflicts_with = "url")]
    app: Option<String>,
    /// With --app: also check whether this machine can reach the app's upstream without Latchkey.
    #[arg(long, value_name = "http://…", requires = "app")]
    upstream: Option<String>,
    /// With --app, in forward-auth mode: the proxy in front, and its version, such as caddy=2.11.7.
    #[arg(long, value_name = "NAME[=VERSION]", requires = "app")]
    proxy: Option<app::NamedProxy>,
    /// With --app, in forward-auth mode: also check after how many seconds the proxy ends a websocket.
    #[arg(long, value_name = "SECONDS", requires = "app", num_args = 0..=1, default_missing_value = "330", value_parser = clap::value_parser!(u64).range(1..=1200))]
    slow: Option<u64>,
    /// Print one JSON object per finding.
    #[arg(long)]
    json: bool,
}

/// Fails if there is a problem. Invalid settings are a finding too.
pub fn run(settings: Result<Settings, Misconfigured>, options: &DoctorOptions) -> Result<(), Failure> {
    let findings = match settings {
        Ok(settings) => match &options.app {
            Some(origin) => {
                let asked = app::AppDoctor {
                    upstream: options.upstream.as_deref(),
                    proxy: options.proxy,
                    slow: options.slow.map(Duration::from_secs),
                };
                app::look(&settings, origin, &asked)
            }
            None => look(&settings, options.url.as_deref()),
        },
        Err(wrong) => vec![problem(
            "settings",
            wrong.to_string().trim_start_matches("settings: "),
            "correct it; nothing else can be checked before",
        )],
    };
    for finding in &findings {
        if options.json {
            print_line!("{}", serde_json::to_string(finding)?);
        } else {
            let Finding { check, level, seen, advice } = finding;
            let advice = if advice.is_empty() { String::new() } else { format!(" → {advice}") };
            print_line!("{:<8} {check:<20} {}", level.as_str(), one_line(&format!("{seen}{advice}")));
        }
    }
    match findings.iter().filter(|finding| finding.level == Level::Problem).count() {
        0 => Ok(()),
        1 => Err("1 problem".into()),
        more => Err(format!("{more} problems").into()),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Checks the database, mail and the site in parallel.
fn look(settings: &Settings, url: Option<&str>) -> Vec<Finding> {
    let mut findings = settings::look(settings);
    let of_database = {
        let settings = settings.clone();
        thread::spawn(move || database::look(&settings))
    };
    let of_mail = {
        let settings = settings.clone();
        thread::spawn(move || mail::look(&settings))
    };
    let of_site = {
        let (settings, url) = (settings.clone(), url.map(str::to_owned));
        thread::spawn(move || site::look(&settings, url.as_deref()))
    };
    for (check, lane) in [("database", of_database), ("mail", of_mail), ("site", of_site)] {
        findings.extend(lane.join().unwrap_or_else(|_| vec![failed(check)]));
    }
    findings
}
