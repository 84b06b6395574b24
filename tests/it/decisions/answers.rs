//! Every refusal is that of the front door, in the form that the proxy can pass on.

use std::time::Duration;

use latchkey::apps::{Access, AccessList, App, AppOrigin, PathMatch, RequiredFactor, Rule, RulePath};
use latchkey::identity::{Client, Role};

use super::support::{FLAVOURS, Proxy, inside, spawn};
use crate::front::support::{Wiki, navigation, register, script};
use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};
use crate::support::process::eventually;
use crate::support::upstream::{OK, Upstream};

const TOOLS: &str = "https://tools.example.org";

pub fn below(path: &str, access: Access) -> Rule {
    let mut rule = Rule::everywhere(access);
    rule.when.path = PathMatch::Below(RulePath::parse(path).expect("a path"));
    rule
}

fn with_every_answer(app: &mut App) {
    let admins = Access::Listed(AccessList { role: Some(Role::Admin), ..AccessList::default() });
    let mut fresh = below("/fresh", Access::SignedIn);
    fresh.fresh = Some(Duration::from_secs(600));
    let two = Rule { factor: RequiredFactor::Two, ..below("/two", Access::SignedIn) };
    app.rules = vec![
        below("/public", Access::Open),
        below("/admin", admins),
        fresh,
        two,
        Rule { tokens: true, ..Rule::everywhere(Access::SignedIn) },
    ];
    app.also_from = vec![AppOrigin::parse(TOOLS).expect("an origin")];
}

pub async fn wiki(app: &TestApp) -> Wiki {
    register(app, "wiki", Upstream::answering(OK), with_every_answer).await
}

fn with(headers: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// What a client sees, without what differs between two answers to the same request.
fn seen(answer: &Answer) -> (Vec<(String, String)>, String) {
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "content-length", "connection"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().expect("a text").to_owned()))
        .collect();
    headers.sort();
    let in_problem = || Some(answer.body.split("\"request_id\":\"").nth(1)?.split('"').next()?.to_owned());
    let id = answer.text(".code").or_else(in_problem);
    (headers, id.map_or(answer.body.clone(), |id| answer.body.replace(&id, "ID")))
}

/// Headers of a request, its method and its path.
type Sent = (Vec<(&'static str, String)>, &'static str, &'static str);

/// The requests of a browser.
fn requests(own: &str) -> Vec<Sent> {
    let form = || {
        let mut headers = navigation();
        headers[0].1 = "same-origin".to_owned();
        headers.push(("origin", own.to_owned()));
        headers
    };
    let mut frame = navigation();
    frame[2].1 = "iframe".to_owned();
    let from = |site: &str, origin: &str| {
        let mut headers = script();
        headers[0].1 = site.to_owned();
        headers.push(("origin", origin.to_owned()));
        headers
    };
    let preflight = |origin: &str| with(&[("origin", origin), ("access-control-request-method", "PUT")]);
    let mut requests = Vec::new();
    for path in
        ["/", "/admin/users?a=b", "/fresh", "/two", "/public/logo.png", "/%61dmin", "//admin", "/admin;x"]
    {
        requests.push((navigation(), "GET", path));
        requests.push((navigation(), "HEAD", path));
        requests.push((script(), "GET", path));
        requests.push((form(), "POST", path));
    }
    requests.extend([
        (frame, "GET", "/page"),
        (with(&[]), "GET", "/api?x=1&y=%20"),
        (with(&[("accept", "text/html,*/*;q=0.8")]), "GET", "/old?to=/public"),
        (with(&[("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")]), "GET", "/old"),
        (with(&[("accept", "image/png")]), "GET", "/logo.png"),
        (from("cross-site", TOOLS), "GET", "/api"),
        (from("cross-site", TOOLS), "POST", "/admin"),
        (from("cross-site", "https://evil.example"), "DELETE", "/api"),
        (from("cross-site", "https://evil.example"), "GET", "/api"),
        (from("same-origin", "null"), "POST", "/api"),
        (with(&[("origin", "null")]), "POST", "/api"),
        (preflight(TOOLS), "OPTIONS", "/api"),
        (preflight("https://evil.example"), "OPTIONS", "/api"),
        (with(&[]), "PROPFIND", "/dav"),
    ]);
    requests
}

/// Compares the decision of each proxy with the answer of the front door.
async fn compare(app: &TestApp, wiki: &Wiki, browser: &mut Browser) -> (usize, usize) {
    let (mut passed, mut refused) = (0, 0);
    for (headers, method, target) in requests(&wiki.origin) {
        browser.headers = headers;
        wiki.upstream.forget();
        let request = browser.request(method.parse().expect("a method"), target);
        let proxied = browser.send(request).await;
        let arrived = wiki.upstream.received();
        for flavour in FLAVOURS {
            let decided = Proxy::new(app, wiki, flavour).ask(browser, method, target).await;
            let what = format!("{flavour} {method} {target} {:?}: {}", browser.headers, decided.body);
            let Some(arrived) = arrived.first() else {
                refused += 1;
                // nginx passes on no redirect of a decision.
                let status = match (flavour, proxied.status) {
                    ("nginx", 302) => 401,
                    (_, status) => status,
                };
                assert_eq!(decided.status, status, "{what}");
                let mut wanted = seen(&proxied);
                if flavour == "nginx" {
                    // It gets the challenges with the page of the refusal.
                    wanted.0.retain(|(name, _)| name != "www-authenticate");
                }
                let mut found = seen(&decided);
                if method == "HEAD" {
                    // The proxy asks with another method, and leaves the body out.
                    found.1.clear();
                }
                assert_eq!(found, wanted, "{what}");
                continue;
            };
            passed += 1;
            assert_eq!((decided.status, decided.body.as_str()), (200, ""), "{what}");
            for name in ["remote-user", "remote-email", "remote-name", "remote-groups"] {
                let given = arrived.values(name).first().copied().unwrap_or_default();
                assert_eq!(decided.header(name), Some(given), "{what}");
            }
        }
    }
    (passed, refused)
}

#[actix_web::test]
async fn each_proxy_gets_the_answers_of_the_front_door() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let mut visitor = Browser::new(&wiki.origin);
    let (passed, refused) = compare(&app, &wiki, &mut visitor).await;
    assert!(passed >= 16 && refused > 100, "{passed} passed, {refused} refused");
    let mut user = inside(&app, &wiki).await;
    // The app key is as old as its proof.
    app.db.execute("UPDATE session_keys SET proved_at = proved_at - interval '1 hour'");
    app.accounts.sessions().wait_until_invalidated().await;
    let (passed, refused) = compare(&app, &wiki, &mut user.at_app).await;
    assert!(passed > 40 && refused > 60, "{passed} passed, {refused} refused");
}

#[actix_web::test]
async fn a_websocket_is_judged_at_its_handshake_however_the_proxy_shows_it() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let user = inside(&app, &wiki).await;
    let mut browser = user.at_app.copy();
    for flavour in FLAVOURS {
        for mark in [
            &[("connection", "upgrade"), ("upgrade", "websocket")][..],
            &[("sec-websocket-version", "13")],
            &[("sec-fetch-mode", "websocket")],
        ] {
            for (origin, status) in
                [(wiki.origin.as_str(), 200), (TOOLS, 200), ("https://evil.example", 403), ("null", 403)]
            {
                browser.headers = with(mark);
                browser.headers.push(("origin", origin.to_owned()));
                let decided = Proxy::new(&app, &wiki, flavour).ask(&browser, "GET", "/socket").await;
                assert_eq!(decided.status, status, "{flavour} {mark:?} {origin}: {}", decided.body);
            }
            browser.headers = with(mark);
            browser.headers.push(("origin", wiki.origin.clone()));
            let mut visitor = Browser::new(&wiki.origin);
            visitor.headers = browser.headers.clone();
            let decided = Proxy::new(&app, &wiki, flavour).ask(&visitor, "GET", "/socket").await;
            decided.is(401).is_error("log-in");
            assert_eq!(decided.header("location"), None);
        }
    }
}

#[actix_web::test]
async fn an_app_without_an_upstream_is_decided_like_any_other() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let user = inside(&app, &wiki).await;
    let before = app.accounts.apps.find("wiki").await.expect("a database").expect("the app");
    let mut after = before.clone();
    (after.mode, after.upstream) = (latchkey::apps::AppMode::ForwardAuth, None);
    app.accounts.apps.change(None, before, after, Client::operator()).await.expect("a change");
    for flavour in FLAVOURS {
        let mut proxy = Proxy::new(&app, &wiki, flavour);
        proxy.ask(&user.at_app, "GET", "/").await.is(200);
        proxy.ask(&user.at_app, "GET", "/admin").await.is(403).is_error("not-allowed");
    }
}

#[actix_web::test]
async fn unknown_and_disabled_apps_and_a_slug_of_another_host_are_refused_alike() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let other = register(&app, "other", Upstream::answering(OK), |app| {
        app.rules = vec![Rule::everywhere(Access::Open)];
    })
    .await;
    let user = inside(&app, &wiki).await;
    for flavour in FLAVOURS {
        let mut proxy = Proxy::new(&app, &wiki, flavour);
        proxy.slug = "-".to_owned();
        proxy.ask(&user.at_app, "GET", "/").await.is(200);
        for slug in ["other", "nothing", "WIKI", "wiki%2f"] {
            proxy.slug = slug.to_owned();
            proxy.ask(&user.at_app, "GET", "/").await.is(403).is_error("app.unknown");
        }
        for host in ["evil.example", "localhost", "wiki.localhost.", "other.localhost"] {
            (proxy.slug, proxy.host) = ("wiki".to_owned(), host.to_owned());
            proxy.ask(&user.at_app, "GET", "/").await.is(403).is_error("app.unknown");
        }
        // A key of one app opens no other one.
        let mut proxy = Proxy::new(&app, &other, flavour);
        assert_eq!(proxy.ask(&user.at_app, "GET", "/").await.is(200).header("remote-user"), Some(""));
    }
    let before = app.accounts.apps.find("wiki").await.expect("a database").expect("the app");
    let mut after = before.clone();
    after.enabled = false;
    app.accounts.apps.change(None, before, after, Client::operator()).await.expect("a change");
    for flavour in FLAVOURS {
        let mut proxy = Proxy::new(&app, &wiki, flavour);
        proxy.ask(&user.at_app, "GET", "/").await.is(403).is_error("app.unknown");
        proxy.ask(&user.at_app, "GET", "/a#b").await.is(403);
    }
}

#[actix_web::test]
async fn while_the_database_is_away_every_decision_is_503() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let user = inside(&app, &wiki).await;
    app.db.cut_off();
    eventually("the lease ends", async || (!app.accounts.sessions().has_lease()).then_some(())).await;
    for flavour in FLAVOURS {
        for path in ["/", "/public"] {
            let decided = Proxy::new(&app, &wiki, flavour).ask(&user.at_app, "GET", path).await;
            decided.is(503).is_error("unavailable");
            assert_eq!(decided.header("retry-after"), Some("5"));
        }
    }
    app.db.restore();
    let mut proxy = Proxy::new(&app, &wiki, "nginx");
    eventually("she is back in", async || {
        (proxy.ask(&user.at_app, "GET", "/").await.status == 200).then_some(())
    })
    .await;
}
