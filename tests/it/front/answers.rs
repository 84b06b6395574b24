//! The responses that a request gets in place of the app's.

use std::time::Duration;

use latchkey::apps::{Access, AccessList, Explain, PathMatch, RequiredFactor, Rule, RulePath};
use latchkey::identity::{GroupName, Role};
use reqwest::Method;

use crate::front::support::{User, Wiki, navigation, path_of, register, script, wiki};
use crate::support::app::TestApp;
use crate::support::browser::Browser;
use crate::support::upstream::{OK, Upstream};

fn below(path: &str, access: Access) -> Rule {
    let mut rule = Rule::everywhere(access);
    rule.when.path = PathMatch::Below(RulePath::parse(path).expect("a path"));
    rule
}

fn admins() -> Access {
    Access::Listed(AccessList { role: Some(Role::Admin), ..AccessList::default() })
}

/// `/public` is open, `/admin` for administrators, the rest for every user.
async fn with_parts(app: &TestApp) -> Wiki {
    register(app, "wiki", Upstream::answering(OK), |app| {
        app.rules = vec![
            below("/public", Access::Open),
            below("/admin", admins()),
            Rule::everywhere(Access::SignedIn),
        ];
    })
    .await
}

#[actix_web::test]
async fn without_a_key_each_kind_of_request_gets_an_answer_that_it_understands() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let mut browser = Browser::new(&wiki.origin);
    let log_in = format!("{}/.latchkey/in?to=%2F", wiki.origin);

    // A program, an image, a script.
    for headers in [vec![], script(), vec![("accept", "image/png".to_owned())]] {
        browser.headers = headers;
        let answer = browser.get("/api/page").await;
        answer.is(401).is_error("log-in");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("www-authenticate"), Some("Latchkey realm=\"wiki\""));
        assert_eq!(answer.header("location"), None);
        let problem = answer.json();
        assert_eq!(
            (&problem["type"], &problem["log_in"]),
            (&"urn:latchkey:log-in".into(), &log_in.clone().into())
        );
    }

    // An old browser, by its Accept; not one that says it is a script.
    browser.headers = vec![("accept", "text/html,*/*;q=0.8".to_owned())];
    assert_eq!(browser.get("/").await.is(302).header("location"), Some(&*log_in));
    browser.headers.push(("x-requested-with", "XMLHttpRequest".to_owned()));
    browser.get("/").await.is(401).is_error("log-in");

    // A form keeps what was typed: the page is at the same address and stores nothing.
    browser.headers = navigation();
    browser.headers[0].1 = "same-origin".to_owned();
    let sent = browser.post_bare("/save", &[("text", "an hour of work")]).await;
    sent.is(401).is_error("not-sent").is_page("front/page");
    assert_eq!(sent.attribute("a.is-primary", "target").as_deref(), Some("_blank"));
    assert!(sent.header("set-cookie").is_none() && sent.header("location").is_none());

    // In a frame of another site, the page may be shown, and its link opens a tab.
    browser.headers[0].1 = "cross-site".to_owned();
    browser.headers[2].1 = "iframe".to_owned();
    let framed = browser.get("/").await;
    framed.is(401).is_error("frame");
    assert_eq!(framed.header("x-frame-options"), None);
    assert_eq!(framed.attribute("a.is-primary", "target").as_deref(), Some("_blank"));
    assert!(wiki.upstream.received().is_empty());
}

#[actix_web::test]
async fn a_user_who_is_not_allowed_learns_who_they_are_and_why() {
    let app = TestApp::spawn();
    let wiki = with_parts(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    let page = user.at_app.get("/admin/users").await;
    page.is(403).is_error("not-allowed").is_page("front/page");
    assert!(page.body.contains(ada.email) && page.body.contains("Rule 2"), "{}", page.body);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("cross-origin-opener-policy"), Some("same-origin"));
    user.at_app.headers = script();
    let problem = user.at_app.get("/admin").await;
    problem.is(403).is_error("not-allowed");
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    // Recorded once an hour for each user and app, and after the response.
    let since = std::time::Instant::now();
    while app.events("app.refused") == 0 {
        assert!(since.elapsed() < Duration::from_secs(10), "the refusal is recorded");
        actix_web::rt::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(app.events("app.refused"), 1);
    // The portal says the same before it gives a key.
    let refused = user.portal.get(&go_to(&mut user.at_app, "/admin").await).await;
    refused.is(403).is_error("not-allowed").is_page("go_refused");
}

/// The address at the portal to which a handoff to `path` leads.
async fn go_to(browser: &mut Browser, path: &str) -> String {
    browser.headers = navigation();
    path_of(&browser.get(&format!("/.latchkey/in?fresh=1&to={path}")).await).replace("&fresh=1", "")
}

#[actix_web::test]
async fn the_reason_is_as_detailed_as_the_app_says() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.accounts
        .groups
        .add(None, GroupName::parse("staff").unwrap(), "", latchkey::identity::Client::operator())
        .await
        .unwrap();
    for (slug, explain, said) in [
        ("off", Explain::Off, None),
        ("reason", Explain::Reason, Some("other users")),
        ("groups", Explain::Groups, Some("staff")),
    ] {
        let wiki = register(&app, slug, Upstream::answering(OK), |app| {
            let groups = vec![GroupName::parse("staff").unwrap()];
            app.rules = vec![
                below("/start", Access::SignedIn),
                Rule::everywhere(Access::Listed(AccessList { groups, ..AccessList::default() })),
            ];
            app.explain = explain;
        })
        .await;
        let mut user = User::logged_in(&app, &wiki, &ada).await;
        user.enter("/start").await.is(200);
        let page = user.at_app.get("/").await;
        page.is(403).is_error("not-allowed");
        assert_eq!(page.body.contains("Rule 2"), said.is_some(), "{}", page.body);
        assert!(said.is_none_or(|said| page.body.contains(said)), "{}", page.body);
        assert_eq!(page.body.contains("staff"), said == Some("staff"), "{}", page.body);
    }
}

#[actix_web::test]
async fn an_open_path_is_open_and_no_spelling_of_another_is() {
    let app = TestApp::spawn();
    let wiki = with_parts(&app).await;
    let mut visitor = Browser::new(&wiki.origin);
    visitor.headers = navigation();
    visitor.get("/public/logo.png").await.is(200);
    let open = wiki.upstream.only_request();
    assert!(open.values("remote-user").is_empty() || open.values("remote-user") == [""], "{open:?}");
    for claim in [
        ("x-forwarded-uri", "/public"),
        ("x-original-url", "/public"),
        ("x-rewrite-url", "/public"),
        ("x-forwarded-host", "public.localhost"),
    ] {
        visitor.headers = navigation();
        visitor.headers.push((claim.0, claim.1.to_owned()));
        visitor.get("/admin").await.is(302);
    }
    visitor.headers = navigation();
    visitor.get("/admin?/public").await.is(302);
    visitor.get("/Admin").await.is(302);
    visitor.get("/administrator").await.is(302);
    for ambiguous in
        ["/public/..%2fadmin", "//admin", "/%61dmin", "/admin;x", "/%2561dmin", "/admin%20", "/admin."]
    {
        visitor.get(ambiguous).await.is(403).is_error("path.ambiguous");
    }
    assert_eq!(wiki.upstream.received().len(), 1);
}

#[actix_web::test]
async fn a_proof_that_is_too_old_is_asked_for_again_and_does_not_loop() {
    let app = TestApp::spawn();
    let wiki = register(&app, "wiki", Upstream::answering(OK), |app| {
        let mut strict = below("/admin", Access::SignedIn);
        strict.fresh = Some(Duration::from_secs(600));
        app.rules = vec![strict, Rule::everywhere(Access::SignedIn)];
    })
    .await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    user.at_app.get("/admin").await.is(200);
    // The key is only as fresh as its handoff.
    app.age_confirmations();
    app.db.execute("UPDATE session_keys SET proved_at = proved_at - interval '1 hour'");
    app.accounts.sessions().wait_until_invalidated().await;
    let again = user.at_app.get("/admin/users").await;
    again.is(302);
    assert_eq!(path_of(&again), "/.latchkey/in?fresh=1&to=%2Fadmin%2Fusers");
    user.at_app.headers = script();
    let problem = user.at_app.get("/admin").await;
    problem.is(401).is_error("confirm");
    assert_eq!(problem.json()["type"], "urn:latchkey:confirm");
    user.at_app.headers = navigation();
    user.at_app.get("/").await.is(200);
    let go = path_of(&user.at_app.get(&path_of(&again)).await);
    assert!(go.ends_with("&fresh=1"), "{go}");
    let confirm = user.portal.get(&go).await;
    assert!(confirm.is_sent_to("/confirm"), "{confirm:?}");
    let confirmed = user.portal.fill_in(&path_of(&confirm), &[("password", ada.password)]).await;
    assert_eq!(path_of(confirmed.is(303)), go);
    let enter = path_of(&user.portal.get(&go).await);
    user.at_app.get(&enter).await.redirects_to(&format!("{}/admin/users", wiki.origin));
    user.at_app.get("/admin/users").await.is(200);
}

#[actix_web::test]
async fn a_rule_that_asks_for_a_second_factor_says_how_to_get_one() {
    let app = TestApp::spawn();
    let wiki = register(&app, "wiki", Upstream::answering(OK), |app| {
        let with = |path, factor| Rule { factor, ..below(path, Access::SignedIn) };
        app.rules = vec![
            with("/two", RequiredFactor::Two),
            with("/passkey", RequiredFactor::Passkey),
            Rule::everywhere(Access::SignedIn),
        ];
    })
    .await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    for (path, code) in [("/two", "second-factor-missing"), ("/passkey", "passkey-missing")] {
        let page = user.at_app.get(path).await;
        page.is(403).is_error(code);
        let set_up = page.attribute("a.is-primary", "href");
        assert_eq!(set_up, Some(format!("{}/account/security", app.origin)));
    }
}

#[actix_web::test]
async fn another_site_can_read_but_not_act() {
    let app = TestApp::spawn();
    let wiki = register(&app, "wiki", Upstream::answering(OK), |app| {
        app.rules = vec![Rule::everywhere(Access::SignedIn)];
        app.also_from = vec![latchkey::apps::AppOrigin::parse("https://tools.example.org").unwrap()];
    })
    .await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    let from = |site: &str, origin: &str| {
        let mut headers = script();
        headers[0].1 = site.to_owned();
        headers.push(("origin", origin.to_owned()));
        headers
    };
    for (headers, status) in [
        (from("same-origin", &wiki.origin), 200),
        (from("same-origin", "null"), 200),
        (from("cross-site", "https://tools.example.org"), 200),
        (from("cross-site", "https://evil.example"), 403),
        (from("same-site", &app.origin), 403),
        (from("cross-site", "null"), 403),
        (vec![("origin", "null".to_owned())], 403),
        (vec![("origin", "https://evil.example".to_owned())], 403),
        // The app might read the other one.
        (
            [from("same-origin", &wiki.origin), vec![("origin", "https://evil.example".to_owned())]].concat(),
            403,
        ),
    ] {
        user.at_app.headers = headers.clone();
        let answer = user.at_app.post_bare("/save", &[("a", "b")]).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
        if status == 403 {
            answer.is_error("cross-site");
        }
    }
    // A preflight carries no cookie, so it is passed on for trusted sites alone, without a user.
    let preflight = |origin: &str| {
        vec![("origin", origin.to_owned()), ("access-control-request-method", "PUT".to_owned())]
    };
    wiki.upstream.forget();
    user.at_app.headers = preflight("https://tools.example.org");
    user.at_app.send(user.at_app.request(Method::OPTIONS, "/api")).await.is(200);
    assert_ne!(wiki.upstream.only_request().values("remote-email"), [ada.email]);
    for other in ["https://evil.example", &wiki.origin, "null"] {
        user.at_app.headers = preflight(other);
        user.at_app.send(user.at_app.request(Method::OPTIONS, "/api")).await.is(403).is_error("preflight");
    }
    // The scripts of that site may read why they were refused.
    user.at_app.cookies.clear();
    user.at_app.headers = from("cross-site", "https://tools.example.org");
    let refused = user.at_app.get("/api").await;
    refused.is(401).is_error("log-in");
    assert_eq!(refused.header("access-control-allow-origin"), Some("https://tools.example.org"));
    assert_eq!(refused.header("access-control-allow-credentials"), Some("true"));
}

#[actix_web::test]
async fn hosts_without_an_app_and_probes_get_their_own_answers() {
    let app = TestApp::spawn();
    let address = app.origin.trim_start_matches("http://").to_owned();
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let get = |host: &'static str, path: &'static str| {
        let request = client.get(format!("http://127.0.0.1:{}{path}", address.rsplit(':').next().unwrap()));
        async move { request.header("host", host).send().await.unwrap().status().as_u16() }
    };
    // Without apps, everything is the portal's.
    assert_eq!((get("10.0.0.7:8080", "/login").await, get("10.0.0.7:8080", "/healthz").await), (200, 200));
    let _wiki = wiki(&app).await;
    for (host, path, status) in [
        ("10.0.0.7:8080", "/healthz", 200),
        ("10.0.0.7:8080", "/readyz", 200),
        ("10.0.0.7:8080", "/login", 421),
        ("LOCALHOST", "/login", 200),
        ("localhost:9", "/login", 200),
        ("evil.example", "/", 421),
        ("localhost.evil.example", "/", 421),
        ("", "/", 400),
    ] {
        assert_eq!(get(host, path).await, status, "{host} {path}");
    }
    app.browser().get("/login").await.is(200);
}

#[actix_web::test]
async fn a_disabled_app_is_unknown_to_every_user() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    let before = app.accounts.apps.find("wiki").await.unwrap().expect("the app");
    let mut after = before.clone();
    after.enabled = false;
    app.accounts.apps.change(None, before, after, latchkey::identity::Client::operator()).await.unwrap();
    user.at_app.get("/").await.is(403).is_error("app.unknown");
    Browser::new(&wiki.origin).get("/").await.is(403).is_error("app.unknown");
    user.portal.get("/go/wiki").await.is(404);
    for path in ["/.latchkey/in", "/.latchkey/enter?code=x", "/.latchkey/out"] {
        user.at_app.get(path).await.is(403).is_error("app.unknown");
    }
}
