//! Checks one app through its public origin: sends what browsers and attackers would send, and signed questions about
//! what arrives. The checks run at the same time, each on its own connections.

mod answers;
mod asking;
mod bypass;
mod caches;
mod facts;
mod handoff;
mod identity;
mod paths;

use std::thread;
use std::time::Duration;

use super::bounded;
use super::finding::{Finding, problem};
use super::site;
use crate::config::Settings;
use asking::{AppSite, KnownApp};

/// How long one check may take. The longest sends twelve requests one after the other.
const WITHIN: Duration = Duration::from_secs(40);

type AppCheck = fn(&KnownApp) -> Finding;

const CHECKS: [(&str, AppCheck); 23] = [
    ("app.name", facts::name),
    ("app.version", facts::version),
    ("app.clock", facts::clock),
    ("app.listener", facts::listener),
    ("app.upstream", facts::upstream),
    ("app.guard", answers::guard),
    ("app.navigation", answers::navigation),
    ("app.head", answers::head),
    ("app.script", answers::script),
    ("app.form", answers::form),
    ("app.other-site", answers::other_site),
    ("app.preflight", answers::preflight),
    ("app.websocket", answers::websocket),
    ("app.upload", answers::upload),
    ("app.identity", identity::forged),
    ("app.cookies", handoff::cookies),
    ("app.handoff", handoff::begin),
    ("app.url", paths::url),
    ("app.path", paths::raw),
    ("app.client-address", facts::client_address),
    ("app.closed", caches::closed),
    ("app.cache", caches::cached),
    ("app.redirect", |app| site::redirect("app.redirect", &app.site.url)),
];

pub fn look(settings: &Settings, origin: &str, upstream: Option<&str>) -> Vec<Finding> {
    let Some(site) = AppSite::new(settings, origin) else {
        return vec![problem(
            "app.reach",
            format!("{origin:?} is not the origin of an app"),
            "such as https://wiki.example.org, as `latchkey app list` prints it",
        )];
    };
    let asking = site.clone();
    let app = match bounded("app.reach", WITHIN, move || facts::reach(asking)) {
        Ok(app) => app,
        Err(finding) => return vec![finding],
    };
    let mut findings = vec![facts::reached(&app), facts::route(&app)];
    let running = CHECKS.map(|(check, look)| {
        let app = app.clone();
        thread::spawn(move || bounded(check, WITHIN, move || Ok(look(&app))))
    });
    for ((check, _), lane) in CHECKS.iter().zip(running) {
        let found = lane.join().unwrap_or_else(|_| Err(super::failed(check)));
        findings.push(found.unwrap_or_else(|finding| finding));
    }
    findings.push(bypass::look(upstream));
    findings
}
