//! Forms are answered only when they are ours. (That every row asks, `routes` walks.)

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
    browser.post("/login", &fields).await.is(403).says("This form is out of date");
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
async fn reading_changes_nothing_whatever_the_query_says() {
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
        // The host a client names is not believed.
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
