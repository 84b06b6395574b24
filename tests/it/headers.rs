//! The headers of every response, and the cookies.

use latchkey::config::{Origin, Switch};
use latchkey::web::routes::{self, Method};
use uuid::Uuid;

use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};
use crate::support::subjects;

const PUBLIC: &str = "https://id.example.org";

fn secure() -> TestApp {
    TestApp::spawn_with(|settings| settings.server.public = Origin::parse(PUBLIC).unwrap())
}

#[track_caller]
fn is_dressed(answer: &Answer, what: &str, secure: bool) {
    let has = |name: &str, parts: &[&str]| {
        let values: Vec<_> = answer.headers.get_all(name).iter().collect();
        assert_eq!(values.len(), 1, "{what}: {} times {name}", values.len());
        for part in parts {
            assert!(answer.header(name).unwrap().contains(part), "{what}: {name} without {part}");
        }
    };
    has(
        "content-security-policy",
        &["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"],
    );
    let policy = answer.header("content-security-policy").unwrap();
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
    // The script runs, and connects to this site, only on pages that load it.
    let brings = answer.body.contains("<script ");
    for directive in ["script-src 'self';", "connect-src 'self';"] {
        assert_eq!(policy.contains(directive), brings, "{what}: {policy}");
    }
    assert_eq!(policy.contains("script-src"), brings, "{what}: {policy}");
    has("x-content-type-options", &["nosniff"]);
    has("x-frame-options", &["DENY"]);
    has("referrer-policy", &["same-origin"]);
    has("cross-origin-opener-policy", &["same-origin"]);
    has("cross-origin-resource-policy", &["same-origin"]);
    has("permissions-policy", &["camera=()"]);
    has("cache-control", &[]);
    for leaky in ["server", "x-powered-by", "access-control-allow-origin"] {
        assert_eq!(answer.header(leaky), None, "{what}");
    }
    match answer.header("strict-transport-security") {
        Some(hsts) => {
            let age: u32 = hsts.split(['=', ';']).nth(1).unwrap().trim().parse().unwrap();
            assert!(secure && age >= 31_536_000 && !hsts.contains("includeSubDomains"), "{what}: {hsts}");
        }
        None => assert!(!secure, "{what}: no HSTS"),
    }
    if !what.starts_with("/static/") || answer.status != 200 {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    }
    if !answer.body.is_empty() {
        let kind = answer.header("content-type").unwrap_or_else(|| panic!("{what}: a body of no type"));
        assert!(
            kind.contains("charset=utf-8")
                || kind == "application/json"
                || kind == "application/problem+json"
                || kind == "image/svg+xml",
            "{what}: {kind}"
        );
    }
}

fn filled(path: &str) -> String {
    let id = Uuid::new_v4().to_string();
    path.split('/').map(|part| if part.starts_with('{') { &id } else { part }).collect::<Vec<_>>().join("/")
}

async fn with_every_status(app: &TestApp, browser: &mut Browser) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    for path in [
        "/nothing",
        "/static/nothing",
        "/static/../Cargo.toml",
        "/static/",
        "/login/",
        "//",
        "/admin/users/x",
    ] {
        answers.push((path.to_owned(), browser.get(path).await));
    }
    let wrong_method = browser.request(reqwest::Method::DELETE, "/login");
    answers.push(("405".into(), browser.send(wrong_method).await));
    answers.push(("403".into(), browser.post_bare("/login", &[]).await));
    let crossed = browser.request(reqwest::Method::POST, "/login").header("origin", "https://evil.example");
    answers.push(("cross-site".into(), browser.send(crossed).await));
    browser.get("/forgot-password").await;
    answers.push(("422".into(), browser.post("/forgot-password", &[("email", "x")]).await));
    let long = "a".repeat(100_000);
    answers.push(("413".into(), browser.post("/forgot-password", &[("email", &long)]).await));
    answers.push(("400".into(), browser.post("/forgot-password", &[("email", "x"), ("email", "y")]).await));
    let json = browser.request(reqwest::Method::POST, "/login").header("content-type", "application/json");
    answers.push(("415".into(), browser.send(json.body("{}")).await));
    app.db.cut_off();
    browser.cookies.insert("latchkey-other".into(), "x".into());
    answers.push((
        "503".into(),
        browser.open("/reset-password?token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await,
    ));
    answers.push(("/readyz".into(), browser.get("/readyz").await));
    answers.push(("/healthz".into(), browser.get("/healthz").await));
    app.db.restore();
    answers
}

#[actix_web::test]
async fn every_answer_is_dressed_over_plain_http_and_over_https() {
    for secure in [false, true] {
        let app = if secure { self::secure() } else { TestApp::spawn() };
        let grace = app.grace().await;
        let mut signed_in = app.browser();
        signed_in.log_in(grace.email, grace.password).await.redirects_to("/home");
        for mut browser in [app.browser(), signed_in] {
            for row in routes::page_table().iter().filter(|row| row.method == Method::Get) {
                let path = filled(row.path);
                is_dressed(&browser.get(&path).await, &path, secure);
            }
            for path in [
                "/healthz",
                "/readyz",
                "/robots.txt",
                "/.well-known/change-password",
                "/.well-known/passkey-endpoints",
                "/static/app.css",
                "/static/passkeys.js",
            ] {
                is_dressed(&browser.get(path).await, path, secure);
            }
        }
        let mut browser = app.browser();
        let answers = with_every_status(&app, &mut browser).await;
        for (what, answer) in &answers {
            is_dressed(answer, what, secure);
        }
        let mut statuses: Vec<u16> = answers.iter().map(|(_, answer)| answer.status).collect();
        statuses.sort_unstable();
        statuses.dedup();
        assert_eq!(
            statuses,
            [200, 303, 400, 403, 404, 405, 413, 415, 422, 503]
                .into_iter()
                .filter(|s| statuses.contains(s))
                .collect::<Vec<_>>()
        );
        for expected in [400, 403, 404, 405, 413, 415, 422, 503] {
            assert!(statuses.contains(&expected), "{expected} is not among {statuses:?}");
        }
    }
}

#[actix_web::test]
async fn the_hosts_below_ours_are_included_if_the_operator_says_so() {
    for (switch, hsts) in
        [(Switch::Off, "max-age=63072000"), (Switch::On, "max-age=63072000; includeSubDomains")]
    {
        let app = TestApp::spawn_with(|settings| {
            settings.server.public = Origin::parse(PUBLIC).unwrap();
            settings.server.hsts_subdomains = switch;
        });
        for path in ["/login", "/nothing", "/static/app.css"] {
            let answer = app.browser().get(path).await;
            assert_eq!(answer.header("strict-transport-security"), Some(hsts), "{path}");
        }
    }
}

#[actix_web::test]
async fn over_https_every_cookie_is_bound_to_this_host() {
    let app = secure();
    let ada = app.ada().await;
    let mut browser = app.browser();
    let mut cookies = Vec::new();
    let mut keep = |answer: &Answer| {
        cookies.extend(
            answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()),
        );
    };
    keep(&browser.get("/login").await);
    keep(
        &browser.post("/login", &[("email", ada.email), ("password", ada.password), ("remember", "1")]).await,
    );
    assert_eq!(
        browser.cookies.keys().collect::<Vec<_>>(),
        ["__Host-latchkey", "__Host-latchkey-browser", "__Host-latchkey-form"]
    );
    keep(&browser.get("/account").await);
    keep(&browser.post("/account/profile", &[("name", "Ada")]).await);
    keep(&browser.get("/account").await);
    keep(&browser.fill_in("/confirm", &[("password", ada.password)]).await);
    keep(&browser.post("/logout", &[]).await);
    keep(&browser.get("/login").await);
    assert!(cookies.len() >= 8, "{cookies:?}");
    for cookie in cookies {
        assert!(cookie.starts_with("__Host-latchkey"), "{cookie}");
        for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{part}: {cookie}");
        }
        assert!(!cookie.contains("Domain") && cookie.len() < 4096, "{cookie}");
        assert!(!cookie.contains("ada") && !cookie.contains(&ada.id.to_string()), "{cookie}");
    }
}

#[actix_web::test]
async fn over_https_only_the_public_origin_may_send_forms() {
    let app = secure();
    let ada = app.ada().await;
    for (origin, status) in [(PUBLIC, 303), (&app.origin, 403), ("http://id.example.org", 403)] {
        let mut browser = app.browser();
        browser.get("/login").await;
        browser.headers.push(("origin", origin.to_owned()));
        let answer = browser.post("/login", &[("email", ada.email), ("password", ada.password)]).await;
        assert_eq!(answer.status, status, "{origin}");
    }
    app.browser().fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let letter = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    assert!(letter.text.contains(&format!("{PUBLIC}/reset-password?token=")), "{}", letter.text);
}

#[actix_web::test]
async fn links_in_mail_never_follow_what_a_client_claims() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    for (name, value) in [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.example;proto=https"),
        ("host", "evil.example"),
    ] {
        browser.headers.push((name, value.to_owned()));
    }
    let asked = browser.fill_in("/forgot-password", &[("email", ada.email)]).await;
    asked.redirects_to("/forgot-password/sent");
    let letter = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    assert!(letter.text.contains(&app.origin) && !letter.text.contains("evil"), "{}", letter.text);
    browser.get("/home").await.redirects_to("/login");
}

#[actix_web::test]
async fn static_files_are_kept_for_ever_under_their_hash_and_nothing_else_is_there() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    let page = browser.get("/").await;
    let script = browser.get("/login").await.attributes("script[src]", "src");
    assert_eq!(script.len(), 1);
    for href in page.attributes("link[href]", "href").into_iter().chain(script) {
        assert!(href.contains("?v="), "{href}");
        let file = browser.get(&href).await;
        assert_eq!(file.is(200).header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(file.header("set-cookie"), None);
    }
    let css = browser.get("/static/app.css").await;
    assert_eq!(css.is(200).header("content-type"), Some("text/css; charset=utf-8"));
    assert!(!css.header("cache-control").unwrap().contains("immutable"));
    for unknown in [
        "/static/nothing",
        "/static/",
        "/static",
        "/static/app.css/",
        "/static/..%2fCargo.toml",
        "/static/%2e%2e/Cargo.toml",
        "/static/APP.CSS",
        "/static/app.css%00",
    ] {
        let answer = browser.get(unknown).await;
        assert!([404, 400].contains(&answer.status), "{unknown}: {}", answer.status);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{unknown}");
    }
}

#[actix_web::test]
async fn the_one_script_is_brought_by_the_pages_that_need_it_and_no_other() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut bringing = Vec::new();
    for mut browser in [app.browser(), app.logged_in(&grace).await] {
        for row in routes::page_table().iter().filter(|row| row.method == Method::Get) {
            let page = browser.get(&filled(row.path)).await;
            assert!(page.count("script") <= 1 && page.count("script:not([src])") == 0, "{}", row.path);
            if page.count("script[type=module][src^='/static/passkeys.js?v=']") == 1 {
                bringing.push(row.path);
            }
        }
    }
    // And the confirmation page, for a user with a passkey.
    assert_eq!(bringing, ["/login", "/account/security"]);
}

#[actix_web::test]
async fn robots_are_asked_to_stay_away() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    browser.get("/robots.txt").await.is(200).says("Disallow: /");
    assert!(browser.get("/").await.header("x-robots-tag").unwrap().contains("noindex"));
}
