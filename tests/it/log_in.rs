//! Logging in.

use diesel::connection::SimpleConnection as _;
use futures_util::future::{join, join_all};
use latchkey::config::Span;

use crate::support::app::{Person, TestApp};
use crate::support::process::eventually;

const THIRTY_DAYS: i64 = 30 * 86_400;

#[actix_web::test]
async fn the_right_password_opens_home_and_the_browser_holds_nothing_but_its_key_and_what_it_is_known_by() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/home").await.is(200).says("Ada Lovelace");
    // The last one binds the forms of a browser without a session, such as those of a second log-in tab. It is not a
    // credential.
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["latchkey", "latchkey-browser", "latchkey-form"]);
}

#[actix_web::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    let wrong = browser.log_in(ada.email, "not-the-password-at-all").await;
    let unknown = browser.log_in("nobody@example.org", "not-the-password-at-all").await;
    assert_eq!(wrong.is(422).body.replace(ada.email, "nobody@example.org"), unknown.is(422).body);
    assert_eq!(app.live_sessions(&ada), 0);
    assert_eq!(app.events("log-in-refused"), 2);
}

#[actix_web::test]
async fn a_refused_form_keeps_its_input_except_the_password() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    let fields =
        [("email", ada.email), ("password", "wrong-but-typed-here"), ("remember", "1"), ("next", "/account")];
    let refused = browser.fill_in("/login", &fields).await;
    refused.is(422).does_not_say("wrong-but-typed-here");
    assert_eq!(refused.attribute("input[name=email]", "value").as_deref(), Some(ada.email));
    assert_eq!(refused.attribute("input[name=next]", "value").as_deref(), Some("/account"));
    assert_eq!(refused.count("input[name=remember][checked]"), 1);
    assert!(refused.text("title").unwrap().starts_with("Check the form"));
    assert_eq!(refused.count("[role=alert]"), 1);
}

#[actix_web::test]
async fn showing_the_password_returns_the_form_and_opens_no_session() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    let fields = [("email", ada.email), ("password", ada.password), ("show", "1")];
    let shown = browser.fill_in("/login", &fields).await;
    shown.is(200);
    assert_eq!(shown.attribute("input[name=password]", "type").as_deref(), Some("text"));
    assert_eq!(shown.attribute("input[name=password]", "value").as_deref(), Some(ada.password));
    let hidden =
        browser.post("/login", &[("email", ada.email), ("password", ada.password), ("show", "0")]).await;
    // The password is masked on the page but kept in the field.
    assert_eq!(hidden.is(200).attribute("input[name=password]", "type").as_deref(), Some("password"));
    assert_eq!(hidden.attribute("input[name=password]", "value").as_deref(), Some(ada.password));
    assert_eq!(app.live_sessions(&ada), 0);
    assert_eq!(app.events("log-in-refused"), 0);
}

#[actix_web::test]
async fn the_address_is_the_same_in_any_case_and_with_space_around_it() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.browser().log_in(" ADA@Example.ORG ", ada.password).await.redirects_to("/home");
}

#[actix_web::test]
async fn the_password_is_taken_exactly_as_typed() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for near in [
        " poetical-science-1843",
        "poetical-science-1843 ",
        "Poetical-science-1843",
        "poetical-science-184",
        "",
    ] {
        app.browser().log_in(ada.email, near).await.is(422);
        app.wait_out_throttles();
    }
    assert_eq!(app.live_sessions(&ada), 0);
}

#[actix_web::test]
async fn log_in_goes_on_to_where_they_were_going() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    let door = browser.get("/account/activity?page=2").await;
    door.redirects_to("/login?next=/account/activity?page=2");
    let form = browser.get(door.header("location").unwrap()).await;
    let next = form.is(200).attribute("input[name=next]", "value").unwrap();
    browser
        .post("/login", &[("email", ada.email), ("password", ada.password), ("next", &next)])
        .await
        .redirects_to("/account/activity?page=2");
    browser.get("/login?next=/account/sessions").await.redirects_to("/account/sessions");
}

#[actix_web::test]
async fn a_next_that_leaves_this_site_is_dropped_wherever_it_stands() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let long = format!("/{}", "a".repeat(2100));
    for next in [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/\t/evil.example",
        "/\r\nSet-Cookie: a=b",
        "\\\\evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/ evil",
        "/ä",
        &long,
    ] {
        let mut browser = app.browser();
        let query = url_encoded(next);
        let form = browser.get(&format!("/login?next={query}")).await;
        form.is(200);
        assert_eq!(form.attribute("input[name=next]", "value"), None, "{next:?}");
        let fields = [("email", ada.email), ("password", ada.password)];
        browser.post(&format!("/login?next={query}"), &fields).await.redirects_to("/home");
        browser.get(&format!("/login?next={query}")).await.redirects_to("/home");
        let mut browser = app.browser();
        let fields = [("email", ada.email), ("password", ada.password), ("next", next)];
        browser.fill_in("/login", &fields).await.redirects_to("/home");
    }
}

#[actix_web::test]
async fn a_log_in_lasts_until_the_browser_closes_unless_asked_to_be_remembered() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    let plain = browser.log_in(ada.email, ada.password).await;
    let cookie = plain.redirects_to("/home").cookie("latchkey").unwrap().to_owned();
    assert!(!cookie.contains("Max-Age") && !cookie.contains("Expires"), "{cookie}");
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert!(!app.db.scalar::<bool>("SELECT remember FROM sessions"));

    let mut kept = app.browser();
    let fields = [("email", ada.email), ("password", ada.password), ("remember", "1")];
    let answer = kept.fill_in("/login", &fields).await;
    let cookie = answer.redirects_to("/home").cookie("latchkey").unwrap().to_owned();
    assert!(cookie.contains(&format!("Max-Age={THIRTY_DAYS}")), "{cookie}");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM sessions WHERE remember"), 1);
    let days: i64 = app
        .db
        .scalar("SELECT extract(epoch FROM expires_at - created_at)::bigint FROM sessions WHERE remember");
    assert!((THIRTY_DAYS - 60..=THIRTY_DAYS).contains(&days), "{days}");
    kept.get("/account/sessions").await.is(200).has_notice("remembered");
}

#[actix_web::test]
async fn a_remembered_key_stays_remembered_when_it_rotates() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    let fields = [("email", ada.email), ("password", ada.password), ("remember", "1")];
    browser.fill_in("/login", &fields).await.is(303);
    let answer = browser.fill_in("/confirm", &[("password", ada.password)]).await;
    let cookie = answer.redirects_to("/home").cookie("latchkey").unwrap();
    assert!(cookie.contains(&format!("Max-Age={THIRTY_DAYS}")), "{cookie}");
    assert!(browser.is_in().await);
}

#[actix_web::test]
async fn an_old_hash_is_made_anew_at_log_in_and_the_password_still_works() {
    let app = TestApp::spawn_with(|settings| settings.hashing.iterations = 2);
    let ada = app.ada().await;
    let hash = "SELECT password_hash FROM users";
    let before: String = app.db.scalar(hash);
    assert!(before.contains("t=1"), "{before}");
    app.browser().log_in(ada.email, "not-the-password-at-all").await.is(422);
    assert_eq!(app.db.scalar::<String>(hash), before);
    app.logged_in(&ada).await;
    let after: String = app.db.scalar(hash);
    assert!(after.contains("t=2"), "{after}");
    app.logged_in(&ada).await;
    assert_eq!(app.db.scalar::<String>(hash), after);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users WHERE password_changed_at IS NULL"), 1);
}

/// Both have verified the password against the old hash, and then find another one.
async fn two_while_the_hash_is_replaced(app: &TestApp, ada: &Person, by: &str) -> Vec<u16> {
    let mut row = app.db.connect();
    row.batch_execute("BEGIN; SELECT 1 FROM users FOR UPDATE").unwrap();
    let log_ins = (0..2).map(|_| async { app.browser().log_in(ada.email, ada.password).await.status });
    let replaced = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND wait_event_type = 'Lock' AND query LIKE '%FOR UPDATE%'";
        eventually("both at the row", async || (app.db.scalar::<i64>(waiting) == 2).then_some(())).await;
        row.batch_execute(&format!("{by}; COMMIT")).unwrap();
    };
    join(join_all(log_ins), replaced).await.0
}

#[actix_web::test]
async fn two_first_log_ins_at_once_after_a_change_of_the_hash_cost_both_open() {
    let app = TestApp::spawn_with(|settings| settings.hashing.iterations = 2);
    let ada = app.ada().await;
    assert_eq!(two_while_the_hash_is_replaced(&app, &ada, "SELECT 1").await, [303, 303]);
    assert_eq!((app.live_sessions(&ada), app.events("log-in-refused")), (2, 0));
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users WHERE password_hash LIKE '%t=2%'"), 1);
}

#[actix_web::test]
async fn a_password_changed_between_its_check_and_the_login_opens_no_session() {
    let app = TestApp::spawn();
    let (ada, mary) = (app.ada().await, app.mary().await);
    let changed = format!(
        "UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE id = '{}') WHERE id = '{}'",
        mary.id, ada.id
    );
    assert_eq!(two_while_the_hash_is_replaced(&app, &ada, &changed).await, [422, 422]);
    assert_eq!((app.live_sessions(&ada), app.events("log-in-refused")), (0, 2));
}

#[actix_web::test]
async fn a_disabled_user_is_refused_like_a_wrong_password() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    let wrong = browser.log_in(ada.email, "not-the-password-at-all").await;
    app.db.execute("UPDATE users SET disabled_at = now()");
    let disabled = browser.log_in(ada.email, ada.password).await;
    assert_eq!(wrong.is(422).body, disabled.is(422).body);
    assert_eq!(app.live_sessions(&ada), 0);
}

#[actix_web::test]
async fn an_account_without_a_password_cannot_be_logged_in_to() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    app.db.execute("UPDATE users SET password_hash = NULL");
    for password in [ada.password, ""] {
        app.browser().log_in(ada.email, password).await.is(422);
    }
    app.db.execute("UPDATE users SET password_hash = 'not a hash'");
    app.browser().log_in(ada.email, ada.password).await.is(422);
    assert_eq!(app.live_sessions(&ada), 0);
}

#[actix_web::test]
async fn logging_in_as_another_user_ends_the_browsers_previous_session() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    browser.get("/home").await.is(200);
    let mut thief = browser.copy();
    let before = browser.key();
    let fields = [("email", grace.email), ("password", grace.password)];
    browser.post("/login", &fields).await.redirects_to("/home");
    assert_ne!(browser.key(), before);
    browser.get("/home").await.is(200).says("Grace Hopper");
    assert!(!thief.is_in().await);
    assert_eq!((app.live_sessions(&ada), app.live_sessions(&grace)), (0, 1));
    assert_eq!((app.events("logged-out"), app.events("logged-in")), (1, 2));
}

#[actix_web::test]
async fn a_log_in_that_cannot_end_the_previous_session_opens_none() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    browser.get("/home").await.is(200);
    app.db.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''full''; END'; \
         CREATE TRIGGER refuse BEFORE UPDATE OF revoked_at ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let key = browser.key();
    let fields = [("email", grace.email), ("password", grace.password)];
    browser.post("/login", &fields).await.is(500);
    assert_eq!(browser.key(), key);
    assert_eq!((app.live_sessions(&ada), app.live_sessions(&grace)), (1, 0));
}

#[actix_web::test]
async fn a_refused_log_in_leaves_the_session_that_was_there_alone() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/home").await.is(200);
    browser.post("/login", &[("email", ada.email), ("password", "not-the-password-at-all")]).await.is(422);
    assert!(browser.is_in().await);
}

#[actix_web::test]
async fn cookies_from_before_the_login_are_worthless_after_it() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let early = browser.token.clone();
    assert!(browser.cookies.contains_key("latchkey-form"));
    browser.post("/login", &[("email", ada.email), ("password", ada.password)]).await.is(303);
    browser.get("/account").await.is(200);
    assert_ne!(browser.token, early);
    browser.post_bare("/account/profile", &[("csrf_token", &early), ("name", "Eve")]).await.is(403);
}

#[actix_web::test]
async fn a_cookie_planted_before_the_log_in_is_not_the_one_that_gets_in() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut attacker = app.logged_in(&grace).await;
    let mut browser = app.browser();
    browser.cookies.insert("latchkey".into(), attacker.cookies["latchkey"].clone());
    browser.get("/home").await.is(200);
    browser.post("/login", &[("email", ada.email), ("password", ada.password)]).await.is(303);
    browser.get("/home").await.says("Ada Lovelace");
    assert!(!attacker.is_in().await);
}

#[actix_web::test]
async fn nothing_anonymous_leaves_a_session_row() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    for path in ["/", "/login", "/register", "/forgot-password", "/home", "/nothing"] {
        browser.get(path).await;
    }
    browser.log_in(ada.email, "not-the-password-at-all").await.is(422);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM sessions"), 0);
    assert!(!browser.cookies.contains_key("latchkey"));
}

#[actix_web::test]
async fn twenty_log_ins_at_once_are_twenty_sessions() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let log_ins = (0..20).map(|_| {
        let mut browser = browser.copy();
        async move {
            // Successful log-ins do not stay throttled; a wait is a valid answer, too.
            let answer = browser.post("/login", &[("email", ada.email), ("password", ada.password)]).await;
            answer.status
        }
    });
    let statuses = join_all(log_ins).await;
    let opened = statuses.iter().filter(|status| **status == 303).count();
    assert!(opened >= 1 && statuses.iter().all(|status| [303, 429].contains(status)), "{statuses:?}");
    assert_eq!(app.live_sessions(&ada), i64::try_from(opened).unwrap());
}

#[actix_web::test]
async fn the_hundred_and_first_session_ends_the_oldest() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut oldest = app.logged_in(&ada).await;
    app.db.execute("UPDATE sessions SET created_at = created_at - interval '1 hour'");
    app.db.execute(
        "INSERT INTO sessions (key_hash, principal, factor, address, user_agent, expires_at) \
         SELECT sha256(i::text::bytea), principal, factor, address, user_agent, expires_at \
         FROM sessions, generate_series(1, 99) i",
    );
    assert!(oldest.is_in().await);
    app.logged_in(&ada).await;
    assert!(!oldest.is_in().await);
    assert_eq!(app.live_sessions(&ada), 100);
}

#[actix_web::test]
async fn idle_and_absolute_limits_end_a_session() {
    let app = TestApp::spawn_with(|settings| settings.sessions.touch_every = Span::seconds(0));
    let ada = app.ada().await;
    let mut idle = app.logged_in(&ada).await;
    app.db.execute("UPDATE sessions SET last_seen_at = now() - interval '25 hours', expires_at = now() - interval '1 hour'");
    assert!(!idle.is_in().await);
    let mut busy = app.logged_in(&ada).await;
    app.db.execute("UPDATE sessions SET created_at = now() - interval '7 days' + interval '2 seconds' WHERE expires_at > now()");
    assert!(busy.is_in().await);
    app.accounts.sessions().flush_touches().await.expect("a database");
    let left: i64 = app.db.scalar("SELECT max(extract(epoch FROM expires_at - now()))::bigint FROM sessions");
    assert!(left <= 2, "{left} s of a week are left after a week");
}

#[actix_web::test]
async fn the_page_of_a_session_is_not_kept_by_the_browser() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    for path in ["/home", "/account", "/account/sessions", "/account/activity", "/account/password"] {
        assert_eq!(browser.get(path).await.is(200).header("cache-control"), Some("no-store"));
    }
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
