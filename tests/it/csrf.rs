//! A form is accepted only if it comes from our own page. (`routes` checks this for every route.)

use reqwest::Method;

use crate::support::app::TestApp;

#[actix_web::test]
async fn a_visitors_token_hangs_on_a_cookie_of_its_own_browser() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    let page = browser.get("/login").await;
    let cookie = page.cookie("latchkey-form").unwrap();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Max-Age") && !cookie.contains("Domain"), "{cookie}");
    let nonce = browser.cookies["latchkey-form"].clone();
    assert!(!browser.token.is_empty() && !browser.token.contains(&nonce));
    // The same for every form of this browser, so that several tabs work.
    let first = browser.token.clone();
    let again = browser.get("/register").await;
    assert_eq!(again.cookie("latchkey-form"), None);
    assert_eq!(browser.token, first);
    let fields = [("email", ada.email), ("password", ada.password)];
    browser.cookies.remove("latchkey-form");
    browser.post("/login", &fields).await.is(403).is_error("no-cookies");
    browser.cookies.insert("latchkey-form".into(), nonce);
    browser.post("/login", &fields).await.redirects_to("/home");
}

#[actix_web::test]
async fn a_planted_cookie_does_not_make_a_token_known() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut attacker = app.browser();
    attacker.get("/login").await.is(200);
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let fields = [("email", ada.email), ("password", ada.password)];
    for planted in ["", "x", "A", &"A".repeat(22), &"A".repeat(4000), "\"\"", "a b", "%00"] {
        let mut victim = app.browser();
        victim.cookies.insert("latchkey-form".into(), planted.to_owned());
        victim.token = browser.token.clone();
        victim.post("/login", &fields).await.is(403);
        let page = victim.get("/login").await;
        page.is(200);
        victim.post("/login", &fields).await.redirects_to("/home");
    }
}

#[actix_web::test]
async fn a_token_of_one_session_is_worth_nothing_in_another_or_afterwards() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut adas = app.logged_in(&ada).await;
    let mut second = app.logged_in(&ada).await;
    let mut graces = app.logged_in(&grace).await;
    for browser in [&mut adas, &mut second, &mut graces] {
        browser.get("/account").await.is(200);
    }
    let mut tokens = vec![adas.token.clone(), second.token.clone(), graces.token.clone()];
    let old = tokens.clone();
    tokens.dedup();
    assert_eq!(tokens.len(), 3);
    for token in [&old[1], &old[2]] {
        adas.post_bare("/account/profile", &[("csrf_token", token), ("name", "Eve")]).await.is(403);
    }
    adas.post("/logout", &[]).await.is(303);
    adas.log_in(ada.email, ada.password).await.is(303);
    adas.post_bare("/account/profile", &[("csrf_token", &old[0]), ("name", "Eve")]).await.is(403);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users WHERE name = 'Eve'"), 0);
}

#[actix_web::test]
async fn the_token_says_nothing_and_cannot_stand_in_the_address() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account").await.is(200);
    let token = browser.token.clone();
    assert!(token.len() >= 43 && !browser.cookies["latchkey"].contains(&token));
    browser.post_bare(&format!("/account/profile?csrf_token={token}"), &[("name", "Eve")]).await.is(403);
    let header = browser.request(Method::POST, "/account/profile").header("x-csrf-token", &token);
    browser.send(header.form(&[("name", "Eve")])).await.is(403);
    for name in ["Csrf_token", "csrf_token[]", "csrf_token "] {
        browser.post_bare("/account/profile", &[(name, &token), ("name", "Eve")]).await.is(403);
    }
}

#[actix_web::test]
async fn get_requests_change_nothing_for_any_query() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&grace).await;
    browser.get("/account").await.is(200);
    let token = browser.token.clone();
    let before = app.dump();
    for path in [
        format!("/account?name=Eve&csrf_token={token}"),
        format!("/admin/users/{}?role=admin&csrf_token={token}", ada.id),
        format!("/account/password?password=x&csrf_token={token}"),
        format!("/admin/invitations?email=eve@example.org&csrf_token={token}"),
        format!("/login?email={}&password={}", ada.email, ada.password),
        "/logout".to_owned(),
    ] {
        browser.get(&path).await;
        let head = browser.request(Method::HEAD, &path);
        browser.send(head).await;
    }
    assert_eq!(app.dump(), before);
}

#[actix_web::test]
async fn a_browser_that_says_where_it_comes_from_is_believed_both_ways() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account").await.is(200);
    let own = app.origin.clone();
    for (pairs, status) in [
        (vec![("origin", own.as_str()), ("sec-fetch-site", "same-origin")], 303),
        (vec![("origin", own.as_str())], 303),
        (vec![("sec-fetch-site", "none")], 303),
        (vec![("origin", own.as_str()), ("sec-fetch-site", "cross-site")], 403),
        (vec![("origin", own.as_str()), ("sec-fetch-site", "same-site")], 403),
        (vec![("origin", own.as_str()), ("sec-fetch-site", "SAME-ORIGIN")], 403),
        (vec![("origin", "null")], 403),
        (vec![("origin", "http://localhost")], 403),
        (vec![("origin", "")], 403),
        // The host in a client's request is not trusted.
        (vec![("origin", "https://evil.example"), ("host", "evil.example")], 403),
        (vec![("origin", "https://evil.example"), ("x-forwarded-host", "evil.example")], 403),
    ] {
        let mut post = browser.request(Method::POST, "/account/profile");
        for (name, value) in &pairs {
            post = post.header(*name, *value);
        }
        let token = browser.token.clone();
        let answer = browser.send(post.form(&[("csrf_token", token.as_str()), ("name", "Ada")])).await;
        assert_eq!(answer.status, status, "{pairs:?}");
    }
}

#[actix_web::test]
async fn a_second_log_in_tab_goes_on_when_the_first_one_has_logged_in() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let early = browser.token.clone();
    browser.post("/login", &[("email", ada.email), ("password", ada.password)]).await.redirects_to("/home");
    let key = browser.key();
    for (next, to) in [("/account/activity", "/account/activity"), ("", "/home"), ("//evil.example", "/home")]
    {
        let fields =
            [("csrf_token", early.as_str()), ("email", ada.email), ("password", "wrong"), ("next", next)];
        browser.post_bare("/login", &fields).await.redirects_to(to);
        browser.get("/account").await.has_flash("logged-in-already");
    }
    browser.post_bare("/register", &[("csrf_token", &early), ("name", "E")]).await.redirects_to("/home");
    // The session accepts it for no other form.
    for path in ["/account/profile", "/forgot-password", "/account/sessions/revoke-others"] {
        browser.post_bare(path, &[("csrf_token", &early), ("name", "E"), ("email", ada.email)]).await.is(403);
    }
    assert_eq!(browser.key(), key);
    assert_eq!((app.live_sessions(&ada), app.events("log-in-refused")), (1, 0));
    // Another browser's token does not redirect.
    let mut other = app.browser();
    other.get("/login").await.is(200);
    browser.post_bare("/login", &[("csrf_token", &other.token), ("next", "/account")]).await.is(403);
    // After a log-out, the earlier page still logs in.
    browser.get("/home").await;
    browser.post("/logout", &[]).await.is(303);
    let fields = [("csrf_token", early.as_str()), ("email", ada.email), ("password", ada.password)];
    browser.post_bare("/login", &fields).await.redirects_to("/home");
}

#[actix_web::test]
async fn a_form_that_is_out_of_date_comes_back_with_a_fresh_token_and_what_was_typed() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account").await.is(200);
    let early = browser.token.clone();
    browser.post("/logout", &[]).await.is(303);
    browser.log_in(ada.email, ada.password).await.is(303);
    let fields = [("csrf_token", early.as_str()), ("name", "Countess"), ("password", "p-a-s-s")];
    // Only if the browser vouches for the page: otherwise another site could have chosen the text that is repeated.
    browser.post_bare("/account/profile", &fields).await.is(403).does_not_say("Countess");
    browser.headers.push(("sec-fetch-site", "same-origin".into()));
    let page = browser.post_bare("/account/profile", &fields).await;
    page.is(403).has_flash("out-of-date").does_not_say("p-a-s-s");
    assert_eq!(page.attribute("#name", "value").as_deref(), Some("Countess"));
    assert_eq!(app.events("name-changed"), 0);
    browser.post("/account/profile", &[("name", "Countess")]).await.redirects_to("/account");
    // Also a visitor's form, after the cookie of the form is gone.
    let mut stranger = app.browser();
    stranger.headers.push(("origin", app.origin.clone()));
    stranger.get("/login").await.is(200);
    stranger.cookies.insert("latchkey-form".into(), "A".repeat(22));
    for (path, field) in [("/login", "email"), ("/register", "name"), ("/forgot-password", "email")] {
        let typed = if field == "email" { ada.email } else { "Ada" };
        let fields = [("csrf_token", early.as_str()), (field, typed), ("password", ada.password)];
        let page = stranger.post_bare(path, &fields).await;
        page.is(403).has_flash("out-of-date").does_not_say(ada.password);
        assert_eq!(page.attribute(&format!("#{field}"), "value").as_deref(), Some(typed), "{path}");
    }
    stranger.post("/forgot-password", &[("email", ada.email)]).await.redirects_to("/forgot-password/sent");
    // A route without a page, and a refused route, answer as before.
    browser.post_bare("/account/sessions/revoke-others", &fields).await.is(403).is_error("foreign-form");
    browser.post_bare("/admin/invitations", &fields).await.is(403).is_error("not-allowed");
}

#[actix_web::test]
async fn a_form_without_any_cookie_of_ours_is_told_that_cookies_are_missing() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for path in ["/login", "/register", "/forgot-password", "/verify-email", "/compare/start"] {
        let mut browser = app.browser();
        browser.get("/login").await.is(200);
        for cookies in [&[][..], &[("theme", "dark"), ("_ga", "GA1.1")]] {
            browser.cookies = cookies.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let answer = browser.post(path, &[("email", ada.email)]).await;
            answer.is(403).is_error("no-cookies");
        }
        browser.cookies.insert("latchkey-browser".into(), "A".repeat(43));
        browser.post(path, &[("email", ada.email)]).await.is(403).is_error("foreign-form");
    }
}

#[actix_web::test]
async fn outside_local_mode_a_foreign_origin_is_refused_regardless_of_other_headers() {
    let app = TestApp::spawn_with(|settings| settings.database = Some("somewhere".into()));
    let ada = app.ada().await;
    let port = app.origin.rsplit_once(':').unwrap().1.to_owned();
    for (origin, status) in [
        (app.origin.clone(), 303),
        ("null".into(), 303),
        (format!("http://127.0.0.1:{port}"), 403),
        ("https://evil.example".into(), 403),
        (format!("{}.", app.origin), 403),
    ] {
        let mut browser = app.browser();
        browser.get("/login").await.is(200);
        browser.headers = vec![("origin", origin.clone()), ("sec-fetch-site", "same-origin".into())];
        let answer = browser.post("/login", &[("email", ada.email), ("password", ada.password)]).await;
        assert_eq!(answer.status, status, "{origin}");
    }
}
