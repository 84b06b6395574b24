//! The doctor's checks of the public URL, with misconfigured real proxies.

use super::proxy::proxy;
use super::{SECRET, doctor};
use crate::support::db::TestDb;
use crate::support::process::Latchkey;

const PATH: &str = "/.well-known/latchkey-doctor";

fn behind(db: &TestDb, hops: usize, change: fn(String) -> String) -> Latchkey {
    let latchkey =
        Latchkey::on(&db.url()).with("LATCHKEY__SECRET", SECRET).with("LATCHKEY__SERVER__TRUSTED_HOPS", hops);
    let port = proxy(latchkey.port, change);
    latchkey.with("LATCHKEY__SERVER__PUBLIC_URL", format!("http://localhost:{port}"))
}

fn public(latchkey: &Latchkey) -> String {
    let shown = latchkey.run(&["config", "--json"]).out;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    shown["server"]["public_url"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn proxies_that_are_not_counted_right_are_found_and_counted() {
    let db = TestDb::new();
    for (hops, level, words) in [
        (0, "problem", "set LATCHKEY__SERVER__TRUSTED_HOPS to 1"),
        (1, "ok", "127.0.0.1, through 1 proxies"),
        (2, "problem", "a forged X-Forwarded-For is believed"),
    ] {
        let latchkey = behind(&db, hops, |head| head);
        let mut running = latchkey.serve_ready().await;
        doctor(&latchkey, &["--url", &public(&latchkey)])
            .says("site.reach", "ok", "the instance answers")
            .says("site.client-address", level, words)
            .says("site.headers", "ok", "")
            .says("site.cookie", "note", "without TLS");
        // Without the proxy.
        doctor(&latchkey, &["--url", &latchkey.origin()]).says(
            "site.reach",
            "warning",
            "its public address is",
        );
        running.kill().await;
    }
}

#[actix_web::test]
async fn proxies_that_change_what_we_say_are_found() {
    let db = TestDb::new();
    type Change = fn(String) -> String;
    let changes: [(Change, &str, &str, &str); 4] = [
        (
            |head| head.replace("x-content-type-options", "x-nothing"),
            "site.headers",
            "problem",
            "without x-content-type-options",
        ),
        (|head| head.replace("no-store", "max-age=60"), "site.headers", "problem", "caches may store"),
        (|head| head.replace("set-cookie", "x-nothing"), "site.cookie", "problem", "sets no cookie"),
        (|head| head.replace("HttpOnly", "Domain=localhost"), "site.cookie", "problem", "arrives changed"),
    ];
    for (change, check, level, words) in changes {
        let latchkey = behind(&db, 1, change);
        let _running = latchkey.serve_ready().await;
        doctor(&latchkey, &["--url", &public(&latchkey)]).says(check, level, words);
    }
}

#[actix_web::test]
async fn without_the_secret_the_identity_check_is_not_found() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url()).with("LATCHKEY__SECRET", SECRET);
    let running = latchkey.serve_ready().await;
    let mut browser = running.browser();
    let nothing = browser.get("/.well-known/nothing").await;
    for question in ["", "1.2.3", "x"] {
        let request = browser.request(reqwest::Method::GET, PATH).header("x-latchkey-doctor", question);
        let answer = browser.send(request).await;
        assert_eq!((answer.status, answer.body.contains("127.0.0.1")), (404, false), "{question}");
    }
    assert_eq!(browser.get(PATH).await.status, nothing.status);
    let stranger = latchkey.clone().with("LATCHKEY__SECRET", "Vb3Kq9Zs7Xw2Nd8Jf4Hm6Tg1Rc5Ly0Pu");
    doctor(&stranger, &["--url", &latchkey.origin()]).says(
        "site.reach",
        "problem",
        "another server answers (404)",
    );
    // During a rotation of the secret the instance is still recognised.
}

#[actix_web::test]
async fn an_undeclared_proxy_is_reported_once() {
    let db = TestDb::new();
    let warned = |lines: Vec<String>| {
        lines.iter().filter(|line| line.contains("a proxy seems to be in front")).count()
    };
    for (hops, times) in [(0, 1), (1, 0)] {
        let latchkey = behind(&db, hops, |head| head);
        let mut running = latchkey.serve_ready().await;
        let mut browser = running.browser();
        browser.headers.push(("x-forwarded-for", "203.0.113.7".into()));
        for _ in 0..3 {
            browser.get("/login").await.is(200);
        }
        assert_eq!(warned(running.stop(nix::sys::signal::Signal::SIGTERM).await), times);
    }
}
