//! What browsers request below `/.latchkey/`, and the pages of refusals.

use std::collections::BTreeMap;

use super::answers::wiki;
use super::support::{Proxy, inside, spawn};
use crate::front::support::{User, Wiki, navigation, path_of, script};
use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};

/// Asks as a proxy that routes `/.latchkey/…` to the listener.
async fn at_app(app: &TestApp, wiki: &Wiki, browser: &mut Browser, method: &str, tail: &str) -> Answer {
    let mut proxy = Proxy::new(app, wiki, "nginx");
    let mut headers = browser.headers.clone();
    headers.push(("host", proxy.host.clone()));
    headers.push(("x-forwarded-for", "192.0.2.7".to_owned()));
    let answer = proxy.send(method, &format!("/app/wiki/{tail}"), headers, &browser.cookies).await;
    for set in answer.headers.get_all("set-cookie") {
        let set = set.to_str().expect("a text").to_owned();
        let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
        match set.contains("Max-Age=0") {
            true => browser.cookies.remove(name),
            false => browser.cookies.insert(name.to_owned(), value.to_owned()),
        };
    }
    answer
}

#[actix_web::test]
async fn a_handoff_through_the_listener_ends_in_the_app() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::logged_in(&app, &wiki, &ada).await;
    let mut proxy = Proxy::new(&app, &wiki, "forward");
    let first = proxy.ask(&user.at_app, "GET", "/page?x=1").await;
    assert_eq!(
        first.is(302).header("location"),
        Some(&*format!("{}/.latchkey/in?to=%2Fpage%3Fx%3D1", wiki.origin))
    );
    let begun = at_app(&app, &wiki, &mut user.at_app, "GET", "in?to=%2Fpage%3Fx%3D1").await;
    begun.is(302);
    let back = user.portal.get(&path_of(&begun)).await;
    let enter = path_of(&back);
    let tail = enter.strip_prefix("/.latchkey/").expect("the path of our own").to_owned();
    let entered = at_app(&app, &wiki, &mut user.at_app, "GET", &tail).await;
    entered.redirects_to(&format!("{}/page?x=1", wiki.origin));
    let decided = proxy.ask(&user.at_app, "GET", "/page?x=1").await;
    assert_eq!(decided.is(200).header("remote-email"), Some(ada.email));
    // The client's address is in the audit trail.
    let recorded: i64 = app
        .db
        .scalar("SELECT count(*) FROM audit_events WHERE act = 'app.entered' AND address = '192.0.2.7'");
    assert_eq!(recorded, 1);
    // A browser that has a live key and comes back is told so, and does not go round in circles.
    at_app(&app, &wiki, &mut user.at_app, "GET", "in?to=%2F").await.is(200).is_error("already-in");
    // She leaves.
    let page = at_app(&app, &wiki, &mut user.at_app, "GET", "out").await;
    page.is(200);
    let token = page.attribute("input[name=token]", "value").expect("a token");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("http://127.0.0.1:{}/app/wiki/out", app.decisions);
    let cookies: Vec<String> =
        user.at_app.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = client
        .post(url)
        .header("host", wiki.origin.trim_start_matches("http://"))
        .header("origin", &wiki.origin)
        .header("cookie", cookies.join("; "))
        .form(&[("token", token)]);
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    proxy.ask(&user.at_app, "GET", "/").await.is(302);
}

#[actix_web::test]
async fn five_names_and_no_other_spelling_are_answered() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let mut user = inside(&app, &wiki).await;
    let tails =
        ["", "In", "in/", "in/x", "%69n", "out%2f", "..%2Fsecret", "x", "decide", "echo", "echo/x", "doctor"];
    for tail in tails {
        at_app(&app, &wiki, &mut user.at_app, "GET", tail).await.is(404).is_error("not-found");
    }
    for (method, tail) in [("POST", "in"), ("PUT", "out"), ("HEAD", "enter")] {
        at_app(&app, &wiki, &mut user.at_app, method, tail).await.is(405);
    }
    let mut proxy = Proxy::new(&app, &wiki, "nginx");
    let none = BTreeMap::new();
    for (path, host) in [
        ("/app/nothing/in", wiki.origin.as_str()),
        ("/app/-/in", wiki.origin.as_str()),
        ("/app/wiki/in", "http://evil.example"),
        ("/app/wiki/in", &app.origin),
    ] {
        let host = host.trim_start_matches("http://").to_owned();
        let answer = proxy.send("GET", path, vec![("host", host)], &none).await;
        answer.is(403).is_error("app.unknown");
    }
}

#[actix_web::test]
async fn nginx_gets_the_page_of_a_refusal_with_the_status_that_it_was_given() {
    let app = spawn();
    let wiki = wiki(&app).await;
    let user = inside(&app, &wiki).await;
    let mut proxy = Proxy::new(&app, &wiki, "nginx");
    let refusal = async |proxy: &mut Proxy, browser: &Browser, status: u16, method: &str, target: &str| {
        let mut headers = proxy.family(method, target);
        headers.extend(browser.headers.clone());
        let answer = proxy.send("GET", &format!("/refusal/{status}?"), headers, &browser.cookies).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        answer
    };
    let mut browser = user.at_app.copy();
    let page = refusal(&mut proxy, &browser, 403, "GET", "/admin/users").await;
    page.is_error("not-allowed").is_page("front/page");
    assert!(page.body.contains("Rule 2") && page.body.contains("ada@example.org"), "{}", page.body);
    browser.headers = script();
    refusal(&mut proxy, &browser, 403, "GET", "/%61dmin").await.is_error("path.ambiguous");
    let mut visitor = Browser::new(&wiki.origin);
    visitor.headers = navigation();
    visitor.headers[0].1 = "same-origin".to_owned();
    visitor.headers.push(("origin", wiki.origin.clone()));
    refusal(&mut proxy, &visitor, 401, "POST", "/save").await.is_error("not-sent").is_page("front/page");
    visitor.headers = script();
    let problem = refusal(&mut proxy, &visitor, 401, "GET", "/api").await;
    assert_eq!(problem.is_error("log-in").header("www-authenticate"), Some("Latchkey realm=\"wiki\""));
    // The decision has changed in the meantime: the status stays, and nothing else is said.
    refusal(&mut proxy, &browser, 403, "GET", "/").await.is_error("not-allowed");
    refusal(&mut proxy, &browser, 401, "GET", "/").await.is_error("log-in");
    refusal(&mut proxy, &browser, 401, "GET", "/admin").await.is_error("log-in");
    for browser in [&browser, &visitor] {
        let unavailable = refusal(&mut proxy, browser, 503, "GET", "/").await;
        assert_eq!(unavailable.is_error("unavailable").header("retry-after"), Some("5"));
    }
    // Without the headers, too.
    for status in [401, 403, 503] {
        let answer = proxy.send("GET", &format!("/refusal/{status}"), Vec::new(), &BTreeMap::new()).await;
        assert_eq!(answer.status, status);
    }
}
