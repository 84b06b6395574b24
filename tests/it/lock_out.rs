//! After a hundred wrong passwords, the account's password is locked, and an attacker cannot use that to lock the owner
//! out.

use futures_util::future::join_all;
use latchkey::config::{Settings, Span};
use latchkey::identity::{Client, UserId};

use crate::support::app::{Person, TestApp};
use crate::support::browser::Browser;
use crate::support::process::eventually;
use crate::support::subjects;

const WRONG: &str = "not-the-password-at-all";

/// Guesses follow each other without a wait; only their number counts.
fn without_waits(settings: &mut Settings) {
    settings.throttle.first_wait = Span::seconds(0);
    settings.throttle.longest_wait = Span::seconds(0);
    settings.throttle.address_free = 100_000;
}

async fn guess(browser: &mut Browser, email: &str, times: usize) {
    for _ in 0..times {
        browser.log_in(email, WRONG).await.is(422);
    }
}

/// This many concurrent wrong passwords, each answered like any other.
async fn at_once(app: &TestApp, browser: &mut Browser, email: &str, times: usize) {
    browser.get("/login").await.is(200);
    let guesses = (0..times).map(|_| {
        let mut browser = browser.copy();
        async move { browser.post("/login", &[("email", email), ("password", WRONG)]).await.status }
    });
    let statuses = join_all(guesses).await;
    assert!(statuses.iter().all(|status| *status == 422), "{statuses:?} at {}", app.origin);
}

fn failures(app: &TestApp, lane: &str) -> i64 {
    app.db.scalar(&format!(
        "SELECT coalesce(sum(failures), 0)::bigint FROM password_lanes WHERE lane LIKE '{lane}%'"
    ))
}

async fn gets_in(browser: &mut Browser, person: &Person) -> bool {
    browser.log_in(person.email, person.password).await.status == 303
}

/// A browser that has logged in once and has logged out.
async fn known_browser(app: &TestApp, person: &Person) -> Browser {
    let mut browser = app.logged_in(person).await;
    browser.get("/home").await.is(200);
    browser.post("/logout", &[]).await.redirects_to("/login");
    browser
}

/// Makes inserts fail as they do on a full disk.
const FULL: &str = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN RAISE EXCEPTION 'could not extend file \"sessions\": No space left on device'; END $$; \
    CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE OF key_hash ON sessions EXECUTE FUNCTION full_disk()";

#[actix_web::test]
async fn a_right_password_that_hits_a_fault_counts_as_no_failure() {
    let app = TestApp::spawn_with(without_waits);
    let ada = app.ada().await;
    let mut known = known_browser(&app, &ada).await;
    let mut within = app.logged_in(&ada).await;
    app.age_confirmations();
    app.db.execute(FULL);
    // More often than any lane allows wrong passwords.
    for _ in 0..12 {
        known.log_in(ada.email, ada.password).await.is(503);
        within.get("/confirm").await.is(200);
        within.post("/confirm", &[("password", ada.password)]).await.is(503);
    }
    for _ in 0..90 {
        app.browser().log_in(ada.email, ada.password).await.is(503);
    }
    app.db.execute("DROP TRIGGER full_disk ON sessions");
    eventually("nothing counted", async || (failures(&app, "") == 0).then_some(())).await;
    known.log_in(ada.email, ada.password).await.redirects_to("/home");
    within.post("/confirm", &[("password", ada.password)]).await.is(303);
    app.browser().log_in(ada.email, ada.password).await.redirects_to("/home");
    assert_eq!(app.count_letters(subjects::REPEATED_FAILURES).await, 0);
}

#[actix_web::test]
async fn after_a_hundred_wrong_passwords_not_even_the_right_one_opens_until_its_owner_unlocks_it() {
    let app = TestApp::spawn_with(without_waits);
    let ada = app.ada().await;
    let mut stranger = app.browser();
    guess(&mut stranger, ada.email, 99).await;
    assert_eq!(
        (
            app.count_letters(subjects::REPEATED_FAILURES).await,
            app.count_letters(subjects::PASSWORD_LOCKED).await
        ),
        (1, 0)
    );
    guess(&mut stranger, ada.email, 1).await;
    let mut owner = app.browser();
    let unknown = owner.log_in("nobody@example.org", WRONG).await;
    let locked = owner.log_in(ada.email, ada.password).await;
    assert_eq!(locked.is(422).body.replace(ada.email, "nobody@example.org"), unknown.is(422).body);
    assert_eq!(locked.headers.keys().collect::<Vec<_>>(), unknown.headers.keys().collect::<Vec<_>>());
    guess(&mut stranger, ada.email, 5).await;
    assert_eq!((failures(&app, "outside"), app.live_sessions(&ada)), (100, 0));
    assert_eq!(
        (
            app.count_letters(subjects::REPEATED_FAILURES).await,
            app.count_letters(subjects::PASSWORD_LOCKED).await
        ),
        (1, 1)
    );
    assert_eq!(app.events("password-locked"), 1);

    let letter = app.letter(ada.email, subjects::PASSWORD_LOCKED).await;
    assert!(letter.text.contains("100 wrong passwords were entered"), "{}", letter.text);
    assert!(
        letter.text.contains("In browsers that you haven't used before, your password no longer works"),
        "{}",
        letter.text
    );
    // Scanners open links with GET and HEAD, and press no buttons.
    let mut browser = app.browser();
    for method in [reqwest::Method::HEAD, reqwest::Method::GET] {
        let look = browser.request(method, &letter.link());
        browser.send(look).await.is(303);
        let look = browser.request(reqwest::Method::HEAD, "/unlock");
        browser.send(look).await.is(200);
    }
    assert_eq!(failures(&app, "outside"), 100);
    let fields = [("token", letter.token())].map(|(name, token)| (name, token.leak() as &str));
    browser.fill_in(&letter.link(), &fields).await.redirects_to("/login");
    browser.get("/login").await.has_flash("unlocked");
    assert!(gets_in(&mut browser, &ada).await && gets_in(&mut app.browser(), &ada).await);
    app.browser().open(&letter.link()).await.is(410).is_refused("dead-link");
    let mut late = app.browser();
    late.get("/login").await.is(200);
    late.post("/unlock", &fields).await.is(422).is_refused("dead-link");
    assert_eq!(app.events("password-unlocked"), 1);
}

#[actix_web::test]
async fn of_a_hundred_and_fifty_guesses_at_once_exactly_a_hundred_are_looked_at() {
    let app = TestApp::spawn_with(|settings| {
        without_waits(settings);
        settings.hashing.queue = 1000;
        settings.throttle.account_free = 100_000;
    });
    let ada = app.ada().await;
    at_once(&app, &mut app.browser(), ada.email, 150).await;
    assert_eq!(failures(&app, "outside"), 100);
    assert_eq!(app.count_letters(subjects::PASSWORD_LOCKED).await, 1);
    assert!(!gets_in(&mut app.browser(), &ada).await);
}

#[actix_web::test]
async fn passwords_that_the_busy_server_did_not_check_do_not_count() {
    let app = TestApp::spawn_with(|settings| {
        without_waits(settings);
        settings.throttle.account_free = 100_000;
        settings.hashing.permits = 1;
        settings.hashing.queue = 1;
        settings.hashing.memory_kib = 64 * 1024;
    });
    let ada = app.ada().await;
    app.db.execute("UPDATE users SET password_hash = NULL");
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let guesses = (0..12).map(|_| {
        let mut browser = browser.copy();
        async move { browser.post("/login", &[("email", ada.email), ("password", WRONG)]).await.status }
    });
    let statuses = join_all(guesses).await;
    let looked_at = statuses.iter().filter(|status| **status == 422).count();
    assert!(looked_at > 0 && looked_at < 12, "{statuses:?}");
    assert_eq!(failures(&app, "outside"), i64::try_from(looked_at).unwrap());
}

#[actix_web::test]
async fn with_the_right_one_among_them_guesses_at_once_are_counted_from_there_on() {
    let app = TestApp::spawn_with(|settings| {
        without_waits(settings);
        settings.hashing.queue = 1000;
        settings.throttle.account_free = 100_000;
    });
    let ada = app.ada().await;
    guess(&mut app.browser(), ada.email, 99).await;
    assert!(gets_in(&mut app.browser(), &ada).await);
    assert_eq!(failures(&app, ""), 0);
    // From now on, twenty are reserved for the browser that logged in.
    at_once(&app, &mut app.browser(), ada.email, 100).await;
    assert_eq!(failures(&app, "outside"), 80);
}

#[actix_web::test]
async fn strangers_cannot_lock_out_a_known_browser() {
    let app = TestApp::spawn_with(without_waits);
    let ada = app.ada().await;
    let mut known = known_browser(&app, &ada).await;
    let mut inside = app.logged_in(&ada).await;
    guess(&mut app.browser(), ada.email, 90).await;
    assert_eq!(failures(&app, "outside"), 80);
    assert!(!gets_in(&mut app.browser(), &ada).await);
    guess(&mut known, ada.email, 1).await;
    assert!(gets_in(&mut known, &ada).await);
    app.age_confirmations();
    inside.fill_in("/confirm", &[("password", ada.password)]).await.redirects_to("/home");
    // The owner's log-in gives strangers no further attempts.
    assert_eq!((failures(&app, "outside"), failures(&app, "browser:")), (80, 0));
    assert!(!gets_in(&mut app.browser(), &ada).await);
}

#[actix_web::test]
async fn strangers_cannot_make_a_known_browser_wait() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut known = known_browser(&app, &ada).await;
    let mut stranger = app.browser();
    guess(&mut stranger, ada.email, 5).await;
    stranger.log_in(ada.email, ada.password).await.is(429);
    assert!(gets_in(&mut known, &ada).await);
    // It has its own count and waits like any browser.
    known.get("/home").await;
    known.post("/logout", &[]).await.is(303);
    guess(&mut known, ada.email, 5).await;
    known.log_in(ada.email, ada.password).await.is(429);
    app.wait_out_throttles();
    assert!(gets_in(&mut known, &ada).await);
}

#[actix_web::test]
async fn a_thief_in_one_known_lane_leaves_ten_tries_to_another_and_a_hundred_are_all_there_are() {
    let app = TestApp::spawn_with(without_waits);
    let ada = app.ada().await;
    let (mut stolen, mut second) = (known_browser(&app, &ada).await, known_browser(&app, &ada).await);
    let mut third = known_browser(&app, &ada).await;
    guess(&mut stolen, ada.email, 15).await;
    assert_eq!(failures(&app, "browser:"), 10);
    let letter = app.letter(ada.email, subjects::PASSWORD_LOCKED).await;
    assert!(letter.text.contains("In that browser, your password no longer works"), "{}", letter.text);
    assert!(!gets_in(&mut stolen, &ada).await);
    guess(&mut second, ada.email, 9).await;
    guess(&mut app.browser(), ada.email, 90).await;
    assert_eq!(failures(&app, ""), 99);
    guess(&mut second, ada.email, 5).await;
    guess(&mut third, ada.email, 5).await;
    assert_eq!(failures(&app, ""), 100);
    for browser in [&mut stolen, &mut second, &mut third, &mut app.browser()] {
        assert!(!gets_in(browser, &ada).await);
    }
    // A password reset unlocks the account.
    let mut mailed = app.browser();
    mailed.fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let token = app.letter(ada.email, subjects::RESET_PASSWORD).await.token();
    let fields = [("token", token.as_str()), ("password", "gravel tuba otter lemon")];
    mailed.post("/reset-password", &fields).await.redirects_to("/login");
    assert_eq!(failures(&app, ""), 0);
    second.log_in(ada.email, "gravel tuba otter lemon").await.is(303);
}

#[actix_web::test]
async fn every_form_that_asks_for_the_password_counts_in_one_place() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let wrong = [("current_password", WRONG), ("password", "gravel tuba otter lemon")];
    browser.fill_in("/confirm", &[("password", WRONG)]).await.is(422);
    browser.fill_in("/account/password", &wrong).await.is(422);
    browser.fill_in("/confirm", &[("password", WRONG)]).await.is(422);
    browser.post("/login", &[("email", ada.email), ("password", WRONG)]).await.is(422);
    browser.fill_in("/account/password", &wrong).await.is(422);
    assert_eq!((failures(&app, "browser:"), failures(&app, "")), (5, 5));
    browser.fill_in("/confirm", &[("password", ada.password)]).await.is(429);
    browser.fill_in("/account/password", &wrong).await.is(429);
    browser.post("/login", &[("email", ada.email), ("password", ada.password)]).await.is(429);
    assert_eq!(failures(&app, ""), 5);
    // If the browser lost its known-device cookie, its session is the lane.
    browser.cookies.remove("latchkey-browser");
    browser.fill_in("/confirm", &[("password", WRONG)]).await.is(422);
    assert_eq!(failures(&app, "session:"), 1);
    browser.fill_in("/confirm", &[("password", ada.password)]).await.redirects_to("/home");
    assert_eq!(failures(&app, ""), 0);
}

#[actix_web::test]
async fn counts_hold_over_restarts_and_are_shared_by_instances() {
    let app = TestApp::spawn_with(without_waits);
    let ada = app.ada().await;
    let mut known = known_browser(&app, &ada).await;
    guess(&mut app.browser(), ada.email, 40).await;
    {
        let beside = app.beside(without_waits);
        guess(&mut beside.browser(), ada.email, 39).await;
        assert_eq!(failures(&app, "outside"), 79);
    }
    let later = app.beside(without_waits);
    guess(&mut later.browser(), ada.email, 3).await;
    assert_eq!(failures(&app, "outside"), 80);
    for instance in [&app, &later] {
        assert!(!gets_in(&mut instance.browser(), &ada).await);
    }
    assert!(gets_in(&mut known.copy_at(&later.origin), &ada).await && gets_in(&mut known, &ada).await);
}

#[actix_web::test]
async fn the_unlock_email_admits_the_owner_while_strangers_go_on_guessing() {
    for way in ["reset", "unlock"] {
        let app = TestApp::spawn();
        let ada = app.ada().await;
        let (mut stranger, mut owner) = (app.browser(), app.browser());
        guess(&mut stranger, ada.email, 5).await;
        let mut password = ada.password;
        let answer = match way {
            "reset" => {
                owner.fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
                let letter = app.letter(ada.email, subjects::RESET_PASSWORD).await;
                password = "gravel tuba otter lemon";
                owner.fill_in(&letter.link(), &[("token", &letter.token()), ("password", password)]).await
            }
            _ => {
                let letter = app.letter(ada.email, subjects::REPEATED_FAILURES).await;
                owner.fill_in(&letter.link(), &[("token", &letter.token())]).await
            }
        };
        answer.redirects_to("/login");
        guess(&mut stranger, ada.email, 5).await;
        stranger.log_in(ada.email, password).await.is(429);
        owner.log_in(ada.email, password).await.redirects_to("/home");
    }
}

#[actix_web::test]
async fn the_known_device_cookie_opens_nothing_and_counts_for_no_other_user() {
    let app = TestApp::spawn_with(without_waits);
    let (ada, grace) = (app.ada().await, app.grace().await);
    let known = known_browser(&app, &ada).await;
    assert_eq!(known.cookies.keys().filter(|name| name.as_str() == "latchkey-browser").count(), 1);
    assert!(!known.copy().is_in().await);
    // Ada's cookie has no effect on Grace's account.
    guess(&mut known.copy(), grace.email, 3).await;
    let graces: i64 = app.db.scalar(&format!(
        "SELECT failures::bigint FROM password_lanes WHERE user_id = '{}' AND lane = 'outside'",
        grace.id
    ));
    assert_eq!(graces, 3);
    // The database contains its hash, which is not accepted as the cookie.
    let proof = known.cookies["latchkey-browser"].clone();
    assert!(!app.dump().contains(&proof));
    let hash: String =
        app.db.scalar("SELECT translate(encode(token_hash, 'base64'), '+/=', '-_') FROM known_browsers");
    let mut thief = app.browser();
    thief.cookies.insert("latchkey-browser".into(), hash);
    guess(&mut thief, ada.email, 1).await;
    assert_eq!((failures(&app, "browser:"), failures(&app, "outside")), (0, 4));
    // A device cookie that the server never issued is not accepted.
    let planted = "A".repeat(43);
    let mut victim = app.browser();
    victim.cookies.insert("latchkey-browser".into(), planted.clone());
    assert!(gets_in(&mut victim, &ada).await);
    assert_ne!(victim.cookies["latchkey-browser"], planted);
    assert!(gets_in(&mut known.copy(), &ada).await);
}

#[actix_web::test]
async fn a_browser_unused_for_long_is_a_stranger_and_twenty_are_known_at_most() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut oldest = known_browser(&app, &ada).await;
    app.db.execute("UPDATE known_browsers SET last_login_at = now() - interval '1 day'");
    for _ in 0..20 {
        app.logged_in(&ada).await;
    }
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM known_browsers"), 20);
    guess(&mut oldest, ada.email, 1).await;
    assert_eq!(failures(&app, "outside"), 1);
    let mut newest = known_browser(&app, &ada).await;
    app.db.execute("UPDATE known_browsers SET expires_at = now()");
    guess(&mut newest, ada.email, 1).await;
    assert_eq!((failures(&app, "browser:"), failures(&app, "outside")), (0, 1));
    app.accounts.maintenance.purge().await.unwrap();
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM known_browsers"), 0);
}

#[actix_web::test]
async fn twenty_simultaneous_unlocks_unlock_once() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    guess(&mut app.browser(), ada.email, 5).await;
    let token = app.letter(ada.email, subjects::REPEATED_FAILURES).await.token();
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let presses = (0..20).map(|_| {
        let (mut browser, token) = (browser.copy(), token.clone());
        async move { browser.post("/unlock", &[("token", &token)]).await.status }
    });
    let statuses = join_all(presses).await;
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [303, 422].contains(status)), "{statuses:?}");
    assert_eq!(app.events("password-unlocked"), 1);
}

#[actix_web::test]
async fn concurrent_operations_never_deadlock() {
    let app = TestApp::spawn_with(|settings| {
        without_waits(settings);
        settings.hashing.queue = 1000;
        settings.throttle.account_free = 100_000;
        settings.throttle.mails_per_hour = 100_000;
    });
    let people = [app.ada().await, app.grace().await];
    let mut inside = Vec::new();
    for person in &people {
        let mut browser = app.logged_in(person).await;
        browser.get("/account/email").await.is(200);
        inside.push(browser);
    }
    let mut stranger = app.browser();
    stranger.get("/login").await.is(200);
    let requests = (0..120).map(|n| {
        let (person, known) = (&people[n % 2], inside[n % 2].copy());
        let mut browser = if n % 3 == 0 { known } else { stranger.copy() };
        async move {
            let email = person.email.to_uppercase();
            let answer = match n % 6 {
                0 => browser.post("/account/email", &[("email", &email)]).await,
                1 => browser.post("/login", &[("email", person.email), ("password", person.password)]).await,
                2 | 4 => browser.post("/login", &[("email", person.email), ("password", WRONG)]).await,
                3 => browser.post("/confirm", &[("password", WRONG)]).await,
                _ => browser.post("/forgot-password", &[("email", person.email)]).await,
            };
            (n % 6, answer.status)
        }
    });
    let answers = join_all(requests).await;
    assert!(answers.iter().all(|(_, status)| [303, 422].contains(status)), "{answers:?}");
    assert!(failures(&app, "") <= 200);
}

#[actix_web::test]
async fn an_administrator_sees_it_and_the_operator_unlocks_it() {
    let app = TestApp::spawn_with(without_waits);
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut admin = app.logged_in(&grace).await;
    let page = format!("/admin/users/{}", ada.id);
    admin.get(&page).await.is(200).has_no_notice("password-locked");
    app.db.execute(&format!("INSERT INTO password_lanes VALUES ('{}', 'outside', 100)", ada.id));
    admin.get(&page).await.is(200).has_notice("password-locked");
    assert!(!gets_in(&mut app.browser(), &ada).await);
    app.accounts.admin.unlock_user(UserId(ada.id), Client::operator()).await.unwrap();
    admin.get(&page).await.is(200).has_no_notice("password-locked");
    assert!(gets_in(&mut app.browser(), &ada).await);
}

#[actix_web::test]
async fn a_disabled_account_and_one_without_a_password_get_the_answer_of_an_unknown_address() {
    let app = TestApp::spawn_with(without_waits);
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.db.execute(&format!("UPDATE users SET disabled_at = now() WHERE id = '{}'", ada.id));
    app.db.execute(&format!("UPDATE users SET password_hash = NULL WHERE id = '{}'", grace.id));
    for email in [ada.email, grace.email, "nobody@example.org"] {
        guess(&mut app.browser(), email, 7).await;
    }
    assert_eq!(app.count_letters(subjects::REPEATED_FAILURES).await, 1);
    assert_eq!(app.letter(grace.email, subjects::REPEATED_FAILURES).await.to, grace.email);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM outbox WHERE recipient <> ''"), 1);
}
