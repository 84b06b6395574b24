//! The list of a user's own sessions, and ending them.

use futures_util::future::join_all;
use uuid::Uuid;

use crate::support::app::{Person, TestApp};
use crate::support::browser::Browser;

/// A browser with a name, and the handle of its session.
async fn named(app: &TestApp, person: &Person, user_agent: &str) -> (Browser, String) {
    let mut browser = app.browser();
    browser.headers.push(("user-agent", user_agent.to_owned()));
    browser.log_in(person.email, person.password).await.redirects_to("/home");
    browser.get("/account/sessions").await.is(200);
    let handle = app.db.scalar("SELECT handle::text FROM sessions ORDER BY created_at DESC LIMIT 1");
    (browser, handle)
}

fn revoke(handle: &str) -> String {
    format!("/account/sessions/{handle}/revoke")
}

#[actix_web::test]
async fn every_session_is_listed_and_the_current_one_is_marked_and_first() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
    let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";
    let (mut laptop, laptop_handle) = named(&app, &ada, firefox).await;
    let (_, phone_handle) = named(&app, &ada, safari).await;
    let (_, foreign) = named(&app, &grace, firefox).await;
    let page = laptop.get("/account/sessions").await;
    page.is(200).has_notice("this-session").says("127.0.0.1");
    assert_eq!(page.count("li.session"), 2);
    assert_eq!(page.count("li.session.is-current"), 1);
    let first = page.text("li.session h2").unwrap();
    assert!(first.contains("Firefox") && first.contains("Linux"), "{first}");
    page.says("Safari on iPhone").does_not_say(&revoke(&laptop_handle)).does_not_say(&foreign);
    assert_eq!(page.count(&format!(r#"form[action="{}"]"#, revoke(&phone_handle))), 1);
    laptop.get("/home").await.has_others(1);
}

#[actix_web::test]
async fn a_revoked_browser_is_out_at_its_next_request() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (mut laptop, _) = named(&app, &ada, "laptop").await;
    let (mut phone, handle) = named(&app, &ada, "phone").await;
    laptop.post(&revoke(&handle), &[]).await.redirects_to("/account/sessions");
    laptop.get("/account/sessions").await.has_flash("session-ended").has_others(0);
    assert!(!phone.is_in().await);
    phone.post("/account/profile", &[("name", "Eve")]).await.redirects_to("/login");
    phone.post("/confirm", &[("password", ada.password)]).await.redirects_to("/login");
    laptop.post(&revoke(&handle), &[]).await.is(404);
    assert_eq!(app.events("session-revoked"), 1);
    assert_eq!(app.db.scalar::<String>("SELECT name FROM users"), "Ada Lovelace");
}

#[actix_web::test]
async fn foreign_unknown_and_malformed_session_ids_are_404() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let (mut adas, _) = named(&app, &ada, "laptop").await;
    let (mut graces, foreign) = named(&app, &grace, "laptop").await;
    let made_up = Uuid::new_v4().to_string();
    let unknown = adas.post(&revoke(&made_up), &[]).await;
    let others = adas.post(&revoke(&foreign), &[]).await;
    unknown.is(404);
    others.is(404);
    for odd in ["x", "%00", "..", "%2e%2e", "1", &"a".repeat(5000), "' OR 1=1 --", "%ff"] {
        let status = adas.post(&revoke(odd), &[]).await.status;
        assert!([404, 400].contains(&status), "{status} for {odd}");
    }
    assert!(graces.is_in().await && adas.is_in().await);
    // Administrators end sessions of other users on their own pages.
    let (_, handle) = named(&app, &ada, "phone").await;
    graces.post(&revoke(&handle), &[]).await.is(404);
}

#[actix_web::test]
async fn ending_ones_own_session_logs_out() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (mut laptop, handle) = named(&app, &ada, "laptop").await;
    let answer = laptop.post(&revoke(&handle), &[]).await;
    answer.redirects_to("/login");
    assert!(answer.cookie("latchkey").unwrap().contains("Max-Age=0"));
    assert!(!laptop.is_in().await);
}

#[actix_web::test]
async fn everywhere_else_means_everywhere_but_here() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let (mut laptop, _) = named(&app, &ada, "laptop").await;
    let (mut phone, _) = named(&app, &ada, "phone").await;
    let (mut tablet, _) = named(&app, &ada, "tablet").await;
    let (mut graces, _) = named(&app, &grace, "laptop").await;
    laptop.post("/account/sessions/revoke-others", &[]).await.redirects_to("/account/sessions");
    laptop.get("/account/sessions").await.has_flash("others-ended");
    assert!(laptop.is_in().await && graces.is_in().await);
    assert!(!phone.is_in().await && !tablet.is_in().await);
    laptop.post("/account/sessions/revoke-others", &[]).await.is(303);
    laptop.get("/account/sessions").await.has_flash("no-others");
}

#[actix_web::test]
async fn an_old_confirmation_ends_nothing() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (mut laptop, _) = named(&app, &ada, "laptop").await;
    let (mut phone, handle) = named(&app, &ada, "phone").await;
    app.age_confirmations();
    laptop.headers.push(("referer", format!("{}/account/sessions", app.origin)));
    for path in [revoke(&handle), "/account/sessions/revoke-others".into()] {
        laptop.post(&path, &[]).await.redirects_to("/confirm?next=/account/sessions");
    }
    assert!(phone.is_in().await);
    assert_eq!(laptop.get("/account/sessions").await.is(200).count("li.session"), 2);
}

#[actix_web::test]
async fn a_session_ended_by_two_at_once_is_ended_once() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (laptop, _) = named(&app, &ada, "laptop").await;
    let (mut phone, handle) = named(&app, &ada, "phone").await;
    let presses = (0..8).map(|_| {
        let (mut tab, path) = (laptop.copy(), revoke(&handle));
        async move { tab.post(&path, &[]).await.status }
    });
    let mut statuses = join_all(presses).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 404, 404, 404, 404, 404, 404, 404]);
    assert_eq!(app.events("session-revoked"), 1);
    assert!(!phone.is_in().await);
}

#[actix_web::test]
async fn requests_in_flight_do_not_bring_an_ended_session_back() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for _ in 0..5 {
        let (mut laptop, _) = named(&app, &ada, "laptop").await;
        let (phone, handle) = named(&app, &ada, "phone").await;
        let busy = (0..6).map(|n| {
            let mut tab = phone.copy();
            async move {
                match n % 3 {
                    0 => tab.get("/home").await.status,
                    1 => tab.post("/confirm", &[("password", ada.password)]).await.status,
                    _ => tab.post("/account/profile", &[("name", "Ada Lovelace")]).await.status,
                };
                tab
            }
        });
        let revoking = async {
            laptop.post(&revoke(&handle), &[]).await.redirects_to("/account/sessions");
        };
        let (tabs, ()) = futures_util::future::join(join_all(busy), revoking).await;
        for mut tab in tabs {
            assert!(!tab.is_in().await);
        }
        assert!(laptop.is_in().await);
        app.db.execute("DELETE FROM sessions");
    }
}

/// The end of the newest session as the page says it, computed from the row and the default limits.
fn latest_end(app: &TestApp, days: u32) -> String {
    app.db.scalar(&format!(
        "SELECT to_char(ends, CASE WHEN extract(year FROM ends) = extract(year FROM now() AT TIME ZONE 'UTC') \
             THEN 'FMDD FMMonth \"at\" HH24:MI \"UTC\"' ELSE 'FMDD FMMonth YYYY \"at\" HH24:MI \"UTC\"' END) \
         FROM (SELECT created_at AT TIME ZONE 'UTC' + interval '{days} days' AS ends FROM sessions \
               ORDER BY created_at DESC LIMIT 1) s"
    ))
}

#[actix_web::test]
async fn a_session_says_both_limits_and_the_date() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let ends = latest_end(&app, 7);
    for path in ["/home", "/account/sessions"] {
        let page = browser.get(path).await;
        page.is(200).says(&ends).says("24 hours");
        let machine: String = app.db.scalar(
            "SELECT to_char((created_at + interval '7 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM sessions",
        );
        assert!(page.attributes("time", "datetime").contains(&machine), "{machine} is not on {path}");
    }
    // A remembered session has one limit.
    let mut kept = app.browser();
    let fields = [("email", ada.email), ("password", ada.password), ("remember", "1")];
    kept.fill_in("/login", &fields).await.redirects_to("/home");
    let ends = latest_end(&app, 30);
    kept.get("/home").await.says(&ends).does_not_say("24 hours");
}

#[actix_web::test]
async fn no_page_shows_how_a_log_in_is_stored() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let (mut adas, mut graces) = (app.logged_in(&ada).await, app.logged_in(&grace).await);
    let user = format!("/admin/users/{}", ada.id);
    for (stored, label, words) in [
        ("password", "Password", "with a password"),
        ("passkey", "Passkey", "with a passkey"),
        ("password+totp", "Password and authenticator app", "with a password and an authenticator app"),
        ("password+recovery-code", "Password and recovery code", "with a password and a recovery code"),
        ("password+passkey", "Password and passkey", "with a password and a passkey"),
        // Written by a newer version.
        ("retina+voice", "Unknown", "Last seen"),
    ] {
        app.db.execute(&format!("UPDATE sessions SET factor = '{stored}'"));
        let raw = format!(">{stored}<");
        let compound = stored.contains('+');
        adas.get("/home").await.says(label).does_not_say(&raw);
        for page in [
            adas.get("/account/sessions").await,
            graces.get(&user).await,
            graces.get("/admin/sessions").await,
        ] {
            page.is(200).says(words).does_not_say(&raw);
            assert!(!compound || !page.body.contains(stored), "{stored}");
        }
    }
}
