//! Changing one's password.

use futures_util::future::{join, join_all};

use crate::support::app::TestApp;
use crate::support::subjects;

const NEW: &str = "gravel tuba otter lemon";

#[actix_web::test]
async fn a_change_ends_every_other_session_and_rotates_this_one() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let mut other = app.logged_in(&ada).await;
    browser.get("/account/password").await.is(200);
    let mut thief = browser.copy();
    let key = browser.key();
    let fields = [("current_password", ada.password), ("password", NEW)];
    browser.post("/account/password", &fields).await.redirects_to("/account/password");
    browser.get("/account/password").await.is(200).has_flash("password-changed");
    assert_ne!(browser.key(), key);
    assert!(!other.is_in().await && !thief.is_in().await);
    assert_eq!(app.live_sessions(&ada), 1);
    app.browser().log_in(ada.email, ada.password).await.is(422);
    app.browser().log_in(ada.email, NEW).await.is(303);
    let letter = app.letter(ada.email, subjects::PASSWORD_CHANGED).await;
    assert!(letter.text.contains("127.0.0.1") && !letter.text.contains(NEW), "{}", letter.text);
    assert!(letter.link().starts_with("/not-me?token="), "{}", letter.link());
}

#[actix_web::test]
async fn the_owner_undoes_a_change_by_a_thief_who_knew_the_password() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut thief = app.logged_in(&ada).await;
    thief.get("/account/password").await.is(200);
    thief.post("/account/password", &[("current_password", ada.password), ("password", NEW)]).await.is(303);
    let letter = app.letter(ada.email, subjects::PASSWORD_CHANGED).await;
    let mut owner = app.browser();
    owner.open(&letter.link()).await.is(200).is_page("mailed_link");
    assert!(thief.is_in().await, "opening the link changes nothing");
    owner.post("/not-me", &[("token", &letter.token())]).await.redirects_to("/login");
    assert!(!thief.is_in().await);
    thief.log_in(ada.email, NEW).await.is(422);
    let reset = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    owner.open(&reset.link()).await.is(200);
    assert_eq!((app.events("session-disowned"), app.events("reset-requested")), (1, 1));
    owner.open(&letter.link()).await.is(410);
}

#[actix_web::test]
async fn it_takes_a_fresh_confirmation_and_the_current_password() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let before: String = app.db.scalar("SELECT password_hash FROM users");
    let good = [("current_password", ada.password), ("password", NEW)];
    browser.get("/account/password").await.is(200);
    for current in ["", "not-the-password-at-all"] {
        let fields = [("current_password", current), ("password", NEW)];
        let refused = browser.post("/account/password", &fields).await;
        refused.is(422).is_refused("wrong-password").does_not_say(NEW);
        assert_eq!(refused.count("#current_password-error"), 1);
    }
    app.age_confirmations();
    browser.post("/account/password", &good).await.redirects_to("/confirm");
    assert_eq!(app.db.scalar::<String>("SELECT password_hash FROM users"), before);
    assert_eq!(app.letters().await.len(), 0);
    browser.fill_in("/confirm", &[("password", ada.password)]).await.is(303);
    browser.post("/account/password", &good).await.redirects_to("/account/password");
}

#[actix_web::test]
async fn the_same_password_and_weak_ones_are_refused() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/password").await.is(200);
    for (password, why) in [
        (ada.password, "same"),
        ("short", "too-short"),
        ("Ada Lovelace 1815", "about-you"),
        ("mailcreated5240", "listed"),
        ("", "too-short"),
    ] {
        let fields = [("current_password", ada.password), ("password", password)];
        let refused = browser.post("/account/password", &fields).await;
        refused.is(422).is_refused(why);
        assert_eq!(refused.count("#password-error"), 1, "{password}");
        if !password.is_empty() {
            refused.does_not_say(&format!("value=\"{password}\""));
        }
    }
    assert_eq!(app.letters().await.len(), 0);
    app.logged_in(&ada).await;
}

#[actix_web::test]
async fn wrong_guesses_here_wait_and_are_counted_with_those_at_confirm() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/password").await.is(200);
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let fields = [("current_password", "not-the-password-at-all"), ("password", NEW)];
        statuses.push(browser.post("/account/password", &fields).await.status);
    }
    assert_eq!(statuses, [422, 422, 422, 422, 422, 429]);
    let good = [("current_password", ada.password), ("password", NEW)];
    let wait = browser.post("/account/password", &good).await;
    assert!(wait.is(429).header("retry-after").is_some());
    browser.fill_in("/confirm", &[("password", ada.password)]).await.is(429);
    app.logged_in(&ada).await;
    browser.get("/account/password").await.is(200);
    app.wait_out_throttles();
    browser.post("/account/password", &good).await.redirects_to("/account/password");
}

#[actix_web::test]
async fn links_mailed_for_a_forgotten_password_die_with_it() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let letter = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    let fields = [("current_password", ada.password), ("password", NEW)];
    browser.fill_in("/account/password", &fields).await.is(303);
    let mut thief = app.browser();
    thief.open(&letter.link()).await.is(410);
    thief.get("/login").await.is(200);
    let fields = [("token", letter.token()), ("password", "otter gravel lemon tuba".into())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    thief.post("/reset-password", &fields).await.is(422);
    app.browser().log_in(ada.email, NEW).await.is(303);
}

#[actix_web::test]
async fn no_session_opened_with_the_old_password_survives_its_change() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for round in 0..6 {
        let (old, new) = if round % 2 == 0 { (ada.password, NEW) } else { (NEW, ada.password) };
        let mut browser = app.browser();
        browser.log_in(ada.email, old).await.redirects_to("/home");
        browser.get("/account/password").await.is(200);
        let mut door = app.browser();
        door.get("/login").await.is(200);
        let log_ins = (0..8).map(|_| {
            let mut stranger = door.copy();
            async move {
                let answer = stranger.post("/login", &[("email", ada.email), ("password", old)]).await;
                assert!([303, 422, 429].contains(&answer.status), "{}", answer.body);
                stranger
            }
        });
        let change = async {
            let fields = [("current_password", old), ("password", new)];
            // If the parallel log-ins throttle it, it is sent again.
            while browser.post("/account/password", &fields).await.status == 429 {
                app.wait_out_throttles();
            }
        };
        let (strangers, ()) = join(join_all(log_ins), change).await;
        browser.get("/account/password").await.is(200);
        for mut stranger in strangers {
            assert!(!stranger.is_in().await, "round {round}");
        }
        assert_eq!(app.live_sessions(&ada), 1, "round {round}");
        app.wait_out_throttles();
    }
}

#[actix_web::test]
async fn two_changes_at_once_leave_one_password_and_one_session() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account/password").await.is(200);
    let words = ["gravel tuba otter lemon", "hinge meadow oyster drum"];
    let changes = words.map(|password| {
        let mut tab = browser.copy();
        async move {
            let fields = [("current_password", ada.password), ("password", password)];
            let answer = tab.post("/account/password", &fields).await;
            assert!([303, 422].contains(&answer.status), "{}", answer.body);
            tab
        }
    });
    // Wait for both answers: until then the old key may still be served.
    let tabs = join_all(changes).await;
    let mut kept = Vec::new();
    for mut tab in tabs {
        kept.push(tab.get("/account/password").await.status == 200);
    }
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 1, "{kept:?}");
    app.wait_out_throttles();
    for (password, kept) in words.into_iter().zip(kept) {
        app.browser().log_in(ada.email, password).await.is(if kept { 303 } else { 422 });
    }
    assert_eq!(app.events("password-changed"), 1);
}

#[actix_web::test]
async fn the_well_known_address_leads_here() {
    let app = TestApp::spawn();
    let answer = app.browser().get("/.well-known/change-password").await;
    assert!((300..400).contains(&answer.status));
    assert_eq!(answer.header("location"), Some("/account/password"));
}
