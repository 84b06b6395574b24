//! `latchkey doctor --app`: a healthy app has no problem, and each of the usual mistakes is found and named.

mod broken;
mod forwarder;
pub mod guarded;
mod question;
mod tls;

use latchkey::apps::{
    Access, App, AppOrigin, IdentityHeaderName, PathMatch, RemoteUser, Rule, RulePath, Slug,
    Upstream as AppUpstream, UpstreamHost,
};
use latchkey::identity::Client;
use serde_json::Value;

use super::{Findings, doctor};
use crate::support::app::TestApp;
use crate::support::process::Latchkey;
use crate::support::upstream::{OK, Upstream};

/// All checks in their order.
const CHECKS: [&str; 26] = [
    "app.reach",
    "app.route",
    "app.name",
    "app.version",
    "app.clock",
    "app.listener",
    "app.upstream",
    "app.guard",
    "app.navigation",
    "app.head",
    "app.script",
    "app.form",
    "app.other-site",
    "app.preflight",
    "app.websocket",
    "app.upload",
    "app.identity",
    "app.cookies",
    "app.handoff",
    "app.url",
    "app.path",
    "app.client-address",
    "app.closed",
    "app.cache",
    "app.redirect",
    "app.bypass",
];

/// The command line with the settings of an instance of the tests.
fn beside(app: &TestApp) -> Latchkey {
    Latchkey::on(&app.db.url()).with("LATCHKEY__SERVER__PUBLIC_URL", &app.origin)
}

fn port_of(app: &TestApp) -> u16 {
    app.origin.rsplit(':').next().unwrap().parse().unwrap()
}

/// Registers an app for every user at `http://slug.localhost:port`; returns its origin.
async fn register(
    app: &TestApp,
    slug: &str,
    port: u16,
    upstream: &str,
    change: impl FnOnce(&mut App),
) -> String {
    let origin = format!("http://{slug}.localhost:{port}");
    let to = AppUpstream::parse(upstream, None).unwrap();
    let at = AppOrigin::parse(&origin).unwrap();
    let mut registered = App::new(Slug::parse(slug).unwrap(), Some(to), vec![at]);
    registered.rules = vec![Rule::everywhere(Access::SignedIn)];
    change(&mut registered);
    app.accounts.apps.add(None, registered, Client::operator()).await.unwrap();
    origin
}

/// The findings about the app at `origin`.
fn look(latchkey: &Latchkey, origin: &str) -> Findings {
    look_with(latchkey, origin, &[])
}

/// The same with further options.
fn look_with(latchkey: &Latchkey, origin: &str, more: &[&str]) -> Findings {
    let ran = latchkey.run(&[&["doctor", "--json", "--app", origin][..], more].concat());
    let rows: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Findings { rows, code: ran.code }
}

/// Asserts that everything is as it should be.
#[track_caller]
fn is_healthy(found: &Findings) {
    assert_eq!(found.checks(), CHECKS);
    assert_eq!(found.code, Some(0));
    assert!(found.rows.iter().all(|row| row["level"] == "ok" || row["level"] == "note"), "{:#?}", found.rows);
    let notes: Vec<&Value> = found.rows.iter().filter(|row| row["level"] == "note").collect();
    let expected = ["app.reach", "app.name", "app.redirect", "app.bypass"];
    assert!(notes.iter().all(|row| expected.contains(&row["check"].as_str().unwrap())), "{notes:#?}");
}

#[actix_web::test]
async fn a_healthy_app_has_no_problem_directly_and_behind_a_proxy() {
    let wiki = Upstream::answering(OK);
    for hops in [0, 1] {
        let app = TestApp::spawn_with(|settings| settings.server.trusted_hops = hops);
        let port = match hops {
            0 => port_of(&app),
            _ => forwarder::forward(port_of(&app), wiki.port, forwarder::Faults::default()),
        };
        let origin = register(&app, "wiki", port, &wiki.url(), |_| {}).await;
        let found = doctor(&beside(&app), &["--app", &origin]);
        is_healthy(&found);
        found
            .says("app.reach", "note", "without TLS")
            .says("app.route", "ok", "leads to wiki")
            .says("app.guard", "ok", "/ needs a log-in")
            .says("app.identity", "ok", "12 spellings")
            .says("app.client-address", "ok", &format!("through {hops} proxies"));
    }
    // No check sends the app anything.
    assert_eq!(wiki.received().len(), 0);
}

#[actix_web::test]
async fn an_app_that_can_be_reached_past_latchkey_is_reported() {
    let (app, wiki) = (TestApp::spawn(), Upstream::answering(OK));
    let origin = register(&app, "wiki", port_of(&app), &wiki.url(), |_| {}).await;
    let found = doctor(&beside(&app), &["--app", &origin, "--upstream", &wiki.url()]);
    found.says("app.bypass", "warning", "answers 200 on this machine");
    let found = doctor(&beside(&app), &["--app", &origin, "--upstream", "http://127.0.0.1:9"]);
    found.says("app.bypass", "ok", "cannot be reached from here");
}

#[actix_web::test]
async fn an_app_with_other_names_and_rules_is_healthy_too() {
    let (app, wiki) = (TestApp::spawn(), Upstream::answering(OK));
    let origin = register(&app, "wiki", port_of(&app), &wiki.url(), |app| {
        app.remote_user = RemoteUser::Email;
        app.header_names.user = IdentityHeaderName::parse("X-Webauth-User").unwrap();
        app.upstream_host = UpstreamHost::Upstream;
        app.limits.max_body = Some(1000);
        let mut robots = Rule::everywhere(Access::Open);
        robots.when.path = PathMatch::Exact(RulePath::parse("/robots.txt").unwrap());
        let mut reading = Rule::everywhere(Access::SignedIn);
        reading.when.methods = vec!["GET".to_owned()];
        app.rules = vec![robots, reading];
    })
    .await;
    let found = look(&beside(&app), &origin);
    found
        .says("app.identity", "ok", "12 spellings")
        .says("app.upload", "note", "up to 1000 bytes")
        .says("app.guard", "note", "rules let every visitor in at /robots.txt")
        .says("app.head", "ok", "leads to the log-in")
        .says("app.form", "note", "not checked");
    assert_eq!(found.code, Some(0), "{:#?}", found.rows);
}
