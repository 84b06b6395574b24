//! Error pages, and responses while the database is unavailable.

use latchkey::config::Span;

use crate::support::app::TestApp;
use crate::support::process::eventually;

#[actix_web::test]
async fn an_error_page_has_a_number_to_give_and_a_way_on() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut stranger = app.browser();
    let mut signed_in = app.logged_in(&ada).await;
    let mut ids = Vec::new();
    for (browser, way_on) in [(&mut stranger, "/"), (&mut signed_in, "/home")] {
        let page = browser.get("/nothing-here").await;
        page.is(404).is_error("not-found").says("404");
        ids.push(page.text(".aside .code").unwrap());
        assert_eq!(page.attribute("p.acts a", "href").as_deref(), Some(way_on));
        assert_eq!(page.count("h1"), 1);
    }
    assert!(ids[0].len() >= 12 && ids[0] != ids[1], "{ids:?}");
    signed_in.get("/nothing-here").await.says("Ada Lovelace");
}

#[actix_web::test]
async fn an_error_page_repeats_nothing_of_the_request() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    for path in ["/%3Cscript%3Ealert(1)%3C/script%3E", "/nothing?q=%3Cb%3Eunusual", "/x/unusual-word"] {
        let page = browser.get(path).await;
        page.is(404).does_not_say("alert(1)").does_not_say("unusual");
    }
    let page = browser.get("/login?next=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    page.is(200).does_not_say("<script>").does_not_say("\"><script");
    let page = browser.get("/login?next=/%22onfocus=%22x").await;
    assert_eq!(page.count("[onfocus]"), 0);
}

#[actix_web::test]
async fn while_the_database_is_away_no_user_is_admitted_and_none_is_logged_out() {
    let app = TestApp::spawn_with(|settings| settings.pool.checkout_wait = Span::seconds(1));
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut signed_in = app.logged_in(&grace).await;
    signed_in.get("/account").await.is(200);
    let cookie = signed_in.cookies["latchkey"].clone();
    let mut stranger = app.browser();
    stranger.get("/login").await.is(200);
    let before = app.dump();
    app.db.cut_off();
    eventually("the lease ends", async || (!app.accounts.sessions().has_lease()).then_some(())).await;

    for path in [
        "/home",
        "/account",
        "/account/sessions",
        "/account/password",
        "/confirm",
        "/admin",
        "/login",
        "/",
        "/nothing",
    ] {
        let page = signed_in.get(path).await;
        page.is(503).is_error("unavailable").does_not_say("Grace Hopper").does_not_say("FATAL");
        assert!(page.header("retry-after").unwrap().parse::<u32>().is_ok(), "{path}");
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.cookie("latchkey"), None, "{path}");
        assert!(page.text(".aside .code").unwrap().len() >= 12);
    }
    signed_in.post("/logout", &[]).await.is(503);
    signed_in.post("/account/profile", &[("name", "Eve")]).await.is(503);
    assert_eq!(signed_in.cookies["latchkey"], cookie);

    for path in ["/", "/login", "/register", "/forgot-password", "/static/app.css", "/healthz", "/robots.txt"]
    {
        stranger.get(path).await.is(200);
    }
    stranger.get("/home").await.redirects_to("/login");
    stranger.get("/readyz").await.is(503);
    let refused = stranger.post("/login", &[("email", ada.email), ("password", ada.password)]).await;
    assert!(refused.is(503).header("retry-after").is_some());
    refused.does_not_say(ada.password);
    assert!(!stranger.cookies.contains_key("latchkey"));
    stranger.post("/forgot-password", &[("email", ada.email)]).await.is(503);

    app.db.restore();
    stranger.get("/readyz").await.is(200);
    assert_eq!(app.dump(), before);
    assert!(signed_in.is_in().await);
    stranger.log_in(ada.email, ada.password).await.redirects_to("/home");
}

#[actix_web::test]
async fn an_error_page_says_only_what_is_known_and_leads_back() {
    let app = TestApp::spawn_with(|settings| settings.pool.checkout_wait = Span::seconds(1));
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account").await.is(200);
    let mut stranger = app.browser();
    stranger.get("/login").await.is(200);
    app.db.cut_off();
    eventually("the lease ends", async || (!app.accounts.sessions().has_lease()).then_some(())).await;
    let page = browser.get("/account/sessions?page=2").await;
    page.is(503).is_error("unavailable");
    assert_eq!(page.attribute("p.acts a", "href").as_deref(), Some("/account/sessions"));
    // The session cannot be read, and afterwards not even a visitor's form is executed.
    for (browser, path) in [(&mut browser, "/account/profile"), (&mut stranger, "/login")] {
        for (referer, back) in [
            (format!("{}/login?next=/account", app.origin), "/login?next=/account"),
            ("https://evil.example/login".to_owned(), "/"),
            (format!("{}//evil.example", app.origin), "/"),
        ] {
            let token = browser.token.clone();
            let fields =
                [("csrf_token", &*token), ("email", ada.email), ("password", ada.password), ("name", "A")];
            let post = browser.request(reqwest::Method::POST, path).header("referer", referer);
            let page = browser.send(post.form(&fields)).await;
            page.is(503).is_error("outcome-unknown");
            assert_eq!(page.attribute("p.acts a", "href").as_deref(), Some(back), "{path}");
        }
    }
    app.db.restore();
}

#[actix_web::test]
async fn dead_connections_are_replaced_before_a_request_uses_them() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    for _ in 0..3 {
        app.db.end_connections();
        browser.get("/account").await.is(200);
        app.db.end_connections();
        browser.post("/account/profile", &[("name", "Ada King")]).await.redirects_to("/account");
    }
    app.db.end_connections();
    app.browser().log_in(ada.email, ada.password).await.redirects_to("/home");
}

#[actix_web::test]
async fn an_unknown_role_grants_nothing() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    app.db.execute("ALTER TABLE users DROP CONSTRAINT users_role_check; UPDATE users SET role = 'root'");
    for path in ["/home", "/admin", "/account"] {
        let page = browser.get(path).await;
        page.is(500).is_error("fault").does_not_say("root").does_not_say("Grace");
    }
    app.db.execute("UPDATE users SET role = 'member'");
    browser.get("/admin").await.is(403);
}

#[actix_web::test]
async fn a_change_that_fails_half_way_is_undone_whole() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let mut other = app.logged_in(&ada).await;
    browser.get("/account/password").await.is(200);
    let users = "SELECT string_agg(u::text, ',') FROM users u";
    let before: String = app.db.scalar(users);
    // The email is the last row that is written.
    app.db.execute("ALTER TABLE outbox RENAME TO hidden");
    let fields = [("current_password", ada.password), ("password", "gravel tuba otter lemon")];
    browser.post("/account/password", &fields).await.is(500);
    app.db.execute("ALTER TABLE hidden RENAME TO outbox");
    assert_eq!(app.db.scalar::<String>(users), before);
    assert!(browser.is_in().await && other.is_in().await);
    assert_eq!(app.events("password-changed"), 0);
    // Without the audit event, nothing is changed.
    app.db.execute("ALTER TABLE audit_events RENAME TO hidden");
    let mut stranger = app.browser();
    stranger.log_in(ada.email, ada.password).await.is(500);
    assert!(!stranger.cookies.contains_key("latchkey"));
    assert_eq!(app.live_sessions(&ada), 2);
}
