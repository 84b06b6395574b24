//! Broken set-ups, each with one fault.

use std::io::Write as _;
use std::thread;

use latchkey::apps::{Access, App, PathMatch, Rule, RulePath};

use super::forwarder::{Faults, forward};
use super::{beside, look, port_of, register};
use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::process::Latchkey;
use crate::support::upstream::{After, OK, Upstream};

/// Without the header lines of this name.
fn without(head: &str, name: &str) -> String {
    let kept =
        head.split_inclusive("\r\n").filter(|line| !line.to_lowercase().starts_with(&format!("{name}:")));
    kept.collect()
}

fn with(head: &str, line: &str) -> String {
    head.replacen("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"), 1)
}

/// The request line with another target.
fn retargeted(head: &str, change: impl Fn(&str) -> String) -> String {
    let target = head.split(' ').nth(1).unwrap();
    head.replacen(target, &change(target), 1)
}

#[actix_web::test]
async fn proxies_in_front_that_break_an_app_are_found() {
    let app = TestApp::spawn_with(|settings| settings.server.trusted_hops = 1);
    let wiki = Upstream::answering(OK);
    let healthy = Faults::default();
    let cases: [(&str, Faults, &str, &str, &str); 17] = [
        (
            "strips-cookies",
            Faults { request: |head| without(&head, "cookie"), ..healthy },
            "app.cookies",
            "problem",
            "latchkey-app, latchkey-state does not arrive",
        ),
        (
            "strips-set-cookie",
            Faults { response: |head| without(&head, "set-cookie"), ..healthy },
            "app.handoff",
            "problem",
            "sets no cookie",
        ),
        (
            "changes-set-cookie",
            Faults { response: |head| head.replace("HttpOnly", "Domain=localhost"), ..healthy },
            "app.handoff",
            "problem",
            "arrives changed",
        ),
        ("caches", Faults { caches: true, ..healthy }, "app.cache", "problem", "a cache in front"),
        (
            "caches-in-browsers",
            Faults {
                response: |head| head.replace("cache-control: private", "cache-control: public"),
                ..healthy
            },
            "app.cache",
            "warning",
            "arrives as",
        ),
        (
            "adds-a-prefix",
            Faults { request: |head| retargeted(&head, |target| format!("/wiki{target}")), ..healthy },
            "app.reach",
            "problem",
            "arrives as /wiki/.latchkey/doctor",
        ),
        (
            "cleans-paths",
            Faults { request: |head| retargeted(&head, |target| target.replace("//", "/")), ..healthy },
            "app.path",
            "warning",
            "/latchkey-doctor//a as /latchkey-doctor/a",
        ),
        (
            "loses-the-query",
            Faults {
                request: |head| retargeted(&head, |target| target.split("&b").next().unwrap().to_owned()),
                ..healthy
            },
            "app.url",
            "problem",
            "arrives as GET /.latchkey/echo?a=1",
        ),
        (
            "believes-x-original-url",
            Faults {
                request: |head| {
                    let claimed = head.lines().find_map(|line| line.strip_prefix("x-original-url: "));
                    claimed.map_or_else(|| head.clone(), |url| retargeted(&head, |_| url.to_owned()))
                },
                ..healthy
            },
            "app.url",
            "problem",
            "with forged x-original-url",
        ),
        (
            "goes-past-latchkey",
            Faults { past: |head| head.starts_with("GET / "), ..healthy },
            "app.guard",
            "problem",
            "there is no guard",
        ),
        ("rescues", Faults { rescues: true, ..healthy }, "app.closed", "problem", "in its place"),
        (
            "loses-origin",
            Faults { request: |head| without(&without(&head, "origin"), "sec-fetch-site"), ..healthy },
            "app.other-site",
            "problem",
            "removes or changes `Origin`",
        ),
        (
            "answers-preflights",
            Faults { response: |head| with(&head, "Access-Control-Allow-Origin: *"), ..healthy },
            "app.preflight",
            "problem",
            "a proxy allows",
        ),
        (
            "has-login-pages",
            Faults {
                response: |head| {
                    head.replace("HTTP/1.1 401 Unauthorized", "HTTP/1.1 302 Found\r\nlocation: /x")
                },
                ..healthy
            },
            "app.script",
            "problem",
            "a script gets 302",
        ),
        (
            "limits-bodies",
            Faults { most: 1024 * 1024, ..healthy },
            "app.upload",
            "warning",
            "client_max_body_size",
        ),
        (
            "drops-upgrade",
            Faults { request: |head| without(&head, "upgrade"), ..healthy },
            "app.websocket",
            "warning",
            "`Upgrade` does not arrive",
        ),
        (
            "drops-the-question",
            Faults { request: |head| without(&head, "x-latchkey-doctor"), ..healthy },
            "app.reach",
            "problem",
            "another server answers (404)",
        ),
    ];
    let mut asked = Vec::new();
    for (slug, faults, check, level, words) in cases {
        let port = forward(port_of(&app), wiki.port, faults);
        asked.push((register(&app, slug, port, &wiki.url(), |_| {}).await, check, level, words));
    }
    let latchkey = beside(&app);
    // Some at a time: most of the time of a run is waiting.
    for some in asked.chunks(3) {
        thread::scope(|scope| {
            for (origin, check, level, words) in some {
                let latchkey = &latchkey;
                scope.spawn(move || {
                    let found = look(latchkey, origin);
                    found.says(check, level, words);
                    let problems = found.rows.iter().filter(|row| row["level"] == "problem").count();
                    assert_eq!(found.code, Some(i32::from(problems > 0)), "{origin}");
                });
            }
        });
    }
}

#[actix_web::test]
async fn proxies_that_are_not_counted_right_are_counted() {
    let wiki = Upstream::answering(OK);
    for (hops, words) in
        [(0, "set LATCHKEY__SERVER__TRUSTED_HOPS to 1"), (2, "a forged X-Forwarded-For is believed")]
    {
        let app = TestApp::spawn_with(|settings| settings.server.trusted_hops = hops);
        let port = forward(port_of(&app), wiki.port, Faults::default());
        let origin = register(&app, "wiki", port, &wiki.url(), |_| {}).await;
        look(&beside(&app), &origin).says("app.client-address", "problem", words);
    }
}

#[actix_web::test]
async fn another_server_and_an_unknown_name_are_told_apart() {
    let (app, wiki) = (TestApp::spawn(), Upstream::answering(OK));
    let latchkey = beside(&app);
    let port = port_of(&app);
    let origin = register(&app, "wiki", port, &wiki.url(), |_| {}).await;
    let found = look(&latchkey, &format!("http://wiki.localhost:{}", wiki.port));
    found.says("app.reach", "problem", "another server answers (200)");
    assert_eq!((found.rows.len(), found.code), (1, Some(1)));
    look(&latchkey, &format!("http://shop.localhost:{port}")).says(
        "app.reach",
        "problem",
        "no app has the host",
    );
    look(&latchkey, "http://wiki.localhost:9").says("app.reach", "problem", "refused");
    for nonsense in
        ["wiki", "http://localhost:8080", "http://wiki.example.org", "https://wiki.localhost/path"]
    {
        look(&latchkey, nonsense).says("app.reach", "problem", "is not the origin of an app");
    }
    let stranger = latchkey.with("LATCHKEY__SECRET", "Vb3Kq9Zs7Xw2Nd8Jf4Hm6Tg1Rc5Ly0Pu");
    look(&stranger, &origin).says("app.reach", "problem", "another server answers (404)");
}

#[actix_web::test]
async fn what_is_registered_wrong_is_said() {
    let app = TestApp::spawn();
    let wiki = Upstream::answering(OK);
    let silent = Upstream::scripted(|_, stream| {
        let _ = stream.flush();
        After::Close
    });
    let port = port_of(&app);
    let open = |rules: &mut Vec<Rule>| *rules = vec![Rule::everywhere(Access::Open)];
    let partly = |rules: &mut Vec<Rule>| {
        let mut all = Rule::everywhere(Access::Open);
        let mut admin = Rule::everywhere(Access::SignedIn);
        admin.when.path = PathMatch::Below(RulePath::parse("/admin").unwrap());
        all.note = "everything else".to_owned();
        *rules = vec![admin, all];
    };
    type Change<'c> = Box<dyn FnOnce(&mut App) + 'c>;
    let cases: [(&str, String, Change<'_>, &str, &str, &str); 6] = [
        ("disabled", wiki.url(), Box::new(|app| app.enabled = false), "app.route", "problem", "is disabled"),
        (
            "down",
            "http://127.0.0.1:9".to_owned(),
            Box::new(|_| {}),
            "app.upstream",
            "problem",
            "cannot connect to http://127.0.0.1:9",
        ),
        (
            "without-tls",
            silent.url().replace("http", "https"),
            Box::new(|_| {}),
            "app.upstream",
            "problem",
            "TLS",
        ),
        (
            "open",
            wiki.url(),
            Box::new(|app| open(&mut app.rules)),
            "app.guard",
            "warning",
            "lets every visitor in",
        ),
        (
            "partly",
            wiki.url(),
            Box::new(|app| partly(&mut app.rules)),
            "app.guard",
            "warning",
            "/admin needs a log-in",
        ),
        ("empty", wiki.url(), Box::new(|app| app.rules.clear()), "app.guard", "warning", "lets no user in"),
    ];
    for (slug, upstream, change, check, level, words) in cases {
        let origin = register(&app, slug, port, &upstream, change).await;
        let found = look(&beside(&app), &origin);
        found.says(check, level, words);
        assert_eq!(found.code, Some(i32::from(level == "problem")), "{slug}: {:#?}", found.rows);
    }
}

#[actix_web::test]
async fn an_instance_without_a_listener_says_that_it_does_not_proxy() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url()).with("LATCHKEY__SESSIONS__CACHED", "0");
    let running = latchkey.serve_ready().await;
    assert!(!running.log().iter().any(|line| line.contains("requests for apps")), "there is no app yet");
    drop(running);
    let origin = format!("http://wiki.localhost:{}", latchkey.port);
    let added =
        latchkey.run(&["app", "add", "wiki", "--upstream", "http://127.0.0.1:9", "--origin", &origin]);
    assert_eq!(added.code, Some(0), "{}", added.err);
    let running = latchkey.serve_ready().await;
    running.logged("requests for apps are answered with 503").await;
    let found = look(&latchkey, &origin);
    found.says("app.listener", "problem", "LATCHKEY__SESSIONS__CACHED").says(
        "app.guard",
        "note",
        "app.listener",
    );
}
