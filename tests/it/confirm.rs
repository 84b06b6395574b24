//! Confirmation: the user enters the password again.

use futures_util::future::join_all;
use reqwest::header::REFERER;

use crate::support::app::TestApp;

#[actix_web::test]
async fn confirming_opens_what_was_asked_for_and_kills_the_old_key() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let handle: String = app.db.scalar("SELECT handle::text FROM sessions");
    app.age_confirmations();
    browser.get("/account/password").await.redirects_to("/confirm?next=/account/password");
    let form = browser.get("/confirm?next=/account/password").await;
    let next = form.is(200).attribute("input[name=next]", "value").unwrap();
    let mut thief = browser.copy();
    let before = browser.key();
    browser
        .post("/confirm", &[("password", ada.password), ("next", &next)])
        .await
        .redirects_to("/account/password");
    assert_ne!(browser.key(), before);
    browser.get("/account/password").await.is(200);
    assert!(!thief.is_in().await);
    assert_eq!(app.db.scalar::<String>("SELECT handle::text FROM sessions"), handle);
    assert_eq!(app.events("confirmed"), 1);
}

#[actix_web::test]
async fn a_form_open_in_another_tab_survives_the_new_key() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account").await.is(200);
    let token = browser.token.clone();
    browser.fill_in("/confirm", &[("password", ada.password)]).await.redirects_to("/home");
    let fields = [("csrf_token", token.as_str()), ("name", "Countess of Lovelace")];
    browser.post_bare("/account/profile", &fields).await.redirects_to("/account");
}

#[actix_web::test]
async fn a_wrong_password_confirms_nothing_and_waits_like_a_log_in() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    app.age_confirmations();
    let key = browser.key();
    let mut statuses = Vec::new();
    for _ in 0..7 {
        let answer = browser
            .fill_in("/confirm", &[("password", "not-the-password-at-all"), ("next", "/account")])
            .await;
        answer.does_not_say("not-the-password-at-all");
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [422, 422, 422, 422, 422, 429, 429]);
    browser.fill_in("/confirm", &[("password", ada.password)]).await.is(429);
    // A thief of the session cannot prevent the owner from logging in elsewhere.
    app.logged_in(&ada).await;
    assert_eq!(browser.key(), key);
    browser.get("/account/password").await.redirects_to("/confirm?next=/account/password");
    assert!(browser.is_in().await);
    assert_eq!(app.events("confirm-refused"), 5);
    app.wait_out_throttles();
    browser.fill_in("/confirm", &[("password", ada.password)]).await.redirects_to("/home");
}

#[actix_web::test]
async fn strangers_who_hammer_the_log_in_page_cannot_keep_the_owner_of_a_session_from_confirming() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut owner = app.logged_in(&ada).await;
    let mut stranger = app.browser();
    for _ in 0..6 {
        stranger.log_in(ada.email, "not-the-password-at-all").await;
    }
    stranger.log_in(ada.email, ada.password).await.is(429);
    app.age_confirmations();
    owner.fill_in("/confirm", &[("password", ada.password)]).await.redirects_to("/home");
}

#[actix_web::test]
async fn another_users_password_does_not_confirm() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    browser.fill_in("/confirm", &[("password", grace.password)]).await.is(422);
}

#[actix_web::test]
async fn two_confirmations_at_once_leave_a_session_that_works() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for round in 0..5 {
        let mut browser = app.logged_in(&ada).await;
        app.age_confirmations();
        browser.get("/confirm").await.is(200);
        let tabs = (0..2).map(|_| {
            let mut tab = browser.copy();
            async move {
                let before = tab.key();
                let answer =
                    tab.post("/confirm", &[("password", ada.password), ("next", "/account/password")]).await;
                // A request with the expired old key is anonymous and must not delete the browser's new key.
                assert!(answer.is_sent_to("/account/password") || answer.is_sent_to("/login"), "{answer:?}");
                (tab.key() != before, tab)
            }
        });
        let (mut winners, mut losers) = (Vec::new(), Vec::new());
        for (rotated, tab) in join_all(tabs).await {
            if rotated {
                winners.push(tab);
            } else {
                losers.push(tab);
            }
        }
        assert!(!winners.is_empty(), "round {round}");
        let mut usable = 0;
        for winner in &mut winners {
            usable += usize::from(winner.get("/account/password").await.status == 200);
        }
        assert_eq!(usable, 1, "round {round}");
        // The browser has one cookie jar: the losing request keeps the winner's cookies.
        for mut loser in losers {
            loser.cookies = winners[0].cookies.clone();
            loser.get("/account/password").await.is(200);
        }
    }
    assert_eq!(app.live_sessions(&ada), 5);
}

#[actix_web::test]
async fn the_whole_address_survives_the_way_through_the_form() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    app.age_confirmations();
    let wanted = "/admin/users?q=a%20b%26c%2B%25&page=2";
    let door = browser.get(wanted).await;
    assert!(door.is_sent_to("/confirm"), "{door:?}");
    let form = browser.get(door.header("location").unwrap()).await;
    let next = form.is(200).attribute("input[name=next]", "value").unwrap();
    browser.post("/confirm", &[("password", grace.password), ("next", &next)]).await.redirects_to(wanted);
    let page = browser.get(wanted).await;
    assert_eq!(page.is(200).attribute("input[name=q]", "value").as_deref(), Some("a b&c+%"));
}

#[actix_web::test]
async fn next_stays_on_this_site() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    for next in ["//evil.example", "/\\evil.example", "https://evil.example", ""] {
        let fields = [("password", ada.password), ("next", next)];
        browser.fill_in("/confirm", &fields).await.redirects_to("/home");
    }
    let fields = [("password", ada.password), ("next", "/account/sessions?x=1&y=2")];
    browser.fill_in("/confirm", &fields).await.redirects_to("/account/sessions?x=1&y=2");
}

#[actix_web::test]
async fn a_form_that_needs_it_leads_back_to_the_page_it_was_on() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/sessions").await.is(200);
    app.age_confirmations();
    let token = browser.token.clone();
    for (referer, next) in [
        (format!("{}/account/sessions", app.origin), "/confirm?next=/account/sessions"),
        ("https://evil.example/account/sessions".to_owned(), "/confirm"),
        (format!("{}.evil.example/account", app.origin), "/confirm"),
        (format!("{}//evil.example", app.origin), "/confirm"),
        (String::new(), "/confirm"),
    ] {
        let post = browser.request(reqwest::Method::POST, "/account/sessions/revoke-others");
        let post = post.header(REFERER, referer).form(&[("csrf_token", &token)]);
        browser.send(post).await.redirects_to(next);
    }
}

#[actix_web::test]
async fn pressing_show_confirms_nothing() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    app.age_confirmations();
    let shown = browser.fill_in("/confirm", &[("password", ada.password), ("show", "1")]).await;
    assert_eq!(shown.is(200).attribute("#password", "value").as_deref(), Some(ada.password));
    browser.get("/account/password").await.redirects_to("/confirm?next=/account/password");
}

#[actix_web::test]
async fn a_session_revoked_meanwhile_cannot_confirm_itself_back() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/confirm").await.is(200);
    app.db.execute("UPDATE sessions SET revoked_at = now()");
    browser.post("/confirm", &[("password", ada.password)]).await.redirects_to("/login");
    assert_eq!(app.live_sessions(&ada), 0);
}

#[actix_web::test]
async fn confirmation_holds_ten_minutes_for_oneself_and_fifteen_for_administrators() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    for (minutes, own, admin) in [(9, 200, 200), (11, 303, 200), (14, 303, 200), (16, 303, 303)] {
        app.db.execute(&format!("UPDATE sessions SET confirmed_at = now() - interval '{minutes} minutes'"));
        browser.get("/account/password").await.is(own);
        browser.get("/admin").await.is(admin);
    }
}
