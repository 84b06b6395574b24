//! Checks one app through its public origin: sends what browsers and attackers would send, and signed questions about
//! what arrives. The checks run at the same time, each on its own connections.

mod advice;
mod answers;
mod asking;
mod bypass;
mod caches;
mod decision;
mod facts;
mod handoff;
mod identity;
mod paths;
mod proxy;
mod stream;

use std::thread;
use std::time::Duration;

use super::bounded;
use super::finding::{Finding, problem};
use super::site;
use crate::config::Settings;
use asking::{AppSite, KnownApp};

pub use proxy::NamedProxy;

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

/// Those of forward-auth mode alone.
const OF_FORWARD_AUTH: [(&str, AppCheck); 2] =
    [("app.proxy", |app| proxy::version(app.proxy)), ("app.decision", decision::asked)];

/// What the operator asks for or knows.
pub struct AppDoctor<'a> {
    pub upstream: Option<&'a str>,
    pub proxy: Option<NamedProxy>,
    pub slow: Option<Duration>,
}

pub fn look(settings: &Settings, origin: &str, asked: &AppDoctor<'_>) -> Vec<Finding> {
    let Some(site) = AppSite::new(settings, origin) else {
        return vec![problem(
            "app.reach",
            format!("{origin:?} is not the origin of an app"),
            "such as https://wiki.example.org, as `latchkey app list` prints it",
        )];
    };
    let (asking, named) = (site.clone(), asked.proxy);
    let app = match bounded("app.reach", WITHIN, move || facts::reach(asking, named)) {
        Ok(app) => app,
        Err(finding) => return vec![finding],
    };
    let mut findings = vec![facts::reached(&app), facts::route(&app)];
    let mut checks = CHECKS.to_vec();
    if app.is_forwarded() {
        checks.extend(OF_FORWARD_AUTH);
    }
    let running: Vec<_> = checks
        .into_iter()
        .map(|(check, look)| {
            let app = app.clone();
            (check, thread::spawn(move || bounded(check, WITHIN, move || Ok(look(&app)))))
        })
        .collect();
    for (check, lane) in running {
        let found = lane.join().unwrap_or_else(|_| Err(super::failed(check)));
        findings.push(found.unwrap_or_else(|finding| finding));
    }
    if app.is_forwarded() {
        findings.push(stream::look(&app, asked.slow));
    }
    findings.push(bypass::look(asked.upstream));
    findings
}
