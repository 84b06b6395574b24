//! Password guesses are slowed down, and the database contains nothing to log in with.

use data_encoding::HEXLOWER;
use futures_util::future::join_all;
use latchkey::secret;

use crate::support::app::{Person, TestApp};
use crate::support::browser::{Answer, Browser};

const WRONG: &str = "not-the-password-at-all";

/// Four failures are free; the fifth is still checked and starts the wait.
const LOOKED_AT: usize = 5;

async fn guess(app: &TestApp, email: &str, from: Option<&str>) -> Answer {
    let mut browser = app.browser();
    if let Some(from) = from {
        browser.headers.push(("x-forwarded-for", from.to_owned()));
    }
    browser.log_in(email, WRONG).await
}

async fn right(app: &TestApp, person: &Person) -> u16 {
    app.browser().log_in(person.email, person.password).await.status
}

async fn at_once(app: &TestApp, count: usize, email: impl Fn(usize) -> String) -> Vec<u16> {
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let guesses = (0..count).map(|n| {
        let (mut browser, email): (Browser, String) = (browser.copy(), email(n));
        async move { browser.post("/login", &[("email", &email), ("password", WRONG)]).await.status }
    });
    join_all(guesses).await
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|got| **got == status).count()
}

#[actix_web::test]
async fn after_four_free_failures_each_costs_twice_the_time() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for _ in 0..LOOKED_AT {
        guess(&app, ada.email, None).await.is(422);
    }
    for wait in [30_u64, 60, 120, 240] {
        let refused = guess(&app, ada.email, None).await;
        refused.is(429).is_refused("too-many").does_not_say(WRONG);
        let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((wait - 3..=wait).contains(&seconds), "{seconds} instead of {wait}");
        app.db.execute("UPDATE throttles SET blocked_until = now() WHERE bucket LIKE 'account:%'");
        guess(&app, ada.email, None).await.is(422);
    }
    for _ in 0..8 {
        app.db.execute("UPDATE throttles SET blocked_until = now()");
        guess(&app, ada.email, None).await.is(422);
    }
    let longest: u64 =
        guess(&app, ada.email, None).await.is(429).header("retry-after").unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&longest), "{longest}");
}

#[actix_web::test]
async fn of_a_hundred_guesses_at_once_only_the_free_ones_are_looked_at() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let statuses = at_once(&app, 100, |_| ada.email.to_owned()).await;
    assert_eq!((count(&statuses, 422), count(&statuses, 429)), (LOOKED_AT, 100 - LOOKED_AT), "{statuses:?}");
    assert_eq!(app.events("log-in-refused"), 5);
}

#[actix_web::test]
async fn not_even_the_right_password_is_looked_at_while_blocked() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut inside = app.logged_in(&ada).await;
    for _ in 0..=LOOKED_AT {
        guess(&app, ada.email, None).await;
    }
    assert_eq!(right(&app, &ada).await, 429);
    assert!(inside.is_in().await);
    app.wait_out_throttles();
    assert_eq!(right(&app, &ada).await, 303);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM throttles WHERE bucket LIKE 'account:%'"), 0);
    for _ in 0..LOOKED_AT {
        guess(&app, ada.email, None).await.is(422);
    }
    guess(&app, ada.email, None).await.is(429);
}

#[actix_web::test]
async fn a_day_without_failures_begins_anew() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for _ in 0..LOOKED_AT - 1 {
        guess(&app, ada.email, None).await.is(422);
    }
    app.db.execute("UPDATE throttles SET counting_since = now() - interval '25 hours'");
    for _ in 0..LOOKED_AT {
        guess(&app, ada.email, None).await.is(422);
    }
    guess(&app, ada.email, None).await.is(429);
}

#[actix_web::test]
async fn known_and_unknown_accounts_are_throttled_alike() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let grace = app.grace().await;
    app.db.execute(&format!("UPDATE users SET disabled_at = now() WHERE id = '{}'", grace.id));
    let mut seen = Vec::new();
    for email in [ada.email, "nobody@example.org", grace.email, "no address"] {
        let mut answers = Vec::new();
        for _ in 0..7 {
            let answer = guess(&app, email, None).await;
            answers.push((answer.status, answer.text("main").unwrap()));
        }
        seen.push(answers);
    }
    let statuses = |answers: &[(u16, String)]| answers.iter().map(|(status, _)| *status).collect::<Vec<_>>();
    for answers in &seen[1..] {
        assert_eq!(statuses(answers), statuses(&seen[0]));
        assert_eq!(answers[0].1, seen[0][0].1);
    }
}

#[actix_web::test]
async fn spellings_of_one_address_share_a_budget() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for email in
        ["ada@example.org", "ADA@example.org", " ada@example.org", "Ada@Example.Org ", "ada@EXAMPLE.org"]
    {
        guess(&app, email, None).await.is(422);
    }
    guess(&app, "aDa@example.org", None).await.is(429);
    assert_eq!(right(&app, &ada).await, 429);
}

#[actix_web::test]
async fn one_network_has_a_budget_over_all_accounts() {
    let app = TestApp::spawn_with(|settings| settings.throttle.address_free = 10);
    let ada = app.ada().await;
    let statuses = at_once(&app, 40, |n| format!("p{n}@example.org")).await;
    assert_eq!((count(&statuses, 422), count(&statuses, 429)), (11, 29), "{statuses:?}");
    assert_eq!(right(&app, &ada).await, 429);
    app.wait_out_throttles();
    assert_eq!(right(&app, &ada).await, 303);
    // The right password refunds its own attempt only.
    guess(&app, "p50@example.org", None).await.is(422);
    guess(&app, "p51@example.org", None).await.is(429);
}

#[actix_web::test]
async fn a_client_cannot_move_to_another_budget_by_claiming_an_address() {
    let app = TestApp::spawn_with(|settings| settings.throttle.address_free = 10);
    for n in 0..11 {
        let email = format!("p{n}@example.org");
        guess(&app, &email, Some(&format!("203.0.113.{n}"))).await.is(422);
    }
    guess(&app, "p11@example.org", Some("203.0.113.11")).await.is(429);
    let seen: String = app.db.scalar("SELECT string_agg(DISTINCT address, ',') FROM audit_events");
    assert_eq!(seen, "127.0.0.1");
}

#[actix_web::test]
async fn no_other_header_changes_the_counted_address_with_or_without_a_proxy() {
    for hops in [0, 1] {
        let app = TestApp::spawn_with(|settings| {
            settings.throttle.address_free = 3;
            settings.server.trusted_hops = hops;
        });
        let mut guesses = 0;
        for name in [
            "forwarded",
            "x-real-ip",
            "client-ip",
            "x-client-ip",
            "true-client-ip",
            "cf-connecting-ip",
            "x-cluster-client-ip",
            "x-forwarded",
            "x-originating-ip",
        ] {
            let mut browser = app.browser();
            let claimed = if name == "forwarded" {
                "for=203.0.113.9".to_owned()
            } else {
                format!("203.0.113.{guesses}")
            };
            browser.headers.push((name, claimed));
            let status = browser.log_in(&format!("p{guesses}@example.org"), WRONG).await.status;
            guesses += 1;
            assert_eq!(status, if guesses <= 4 { 422 } else { 429 }, "{name} with {hops} hops");
        }
        let seen: String = app.db.scalar("SELECT string_agg(DISTINCT address, ',') FROM audit_events");
        assert_eq!(seen, "127.0.0.1");
    }
}

#[actix_web::test]
async fn behind_one_proxy_the_right_most_address_counts() {
    let app = TestApp::spawn_with(|settings| {
        settings.throttle.address_free = 3;
        settings.server.trusted_hops = 1;
    });
    for n in 0..4 {
        let claimed = format!("198.51.100.{n}, 203.0.113.7");
        guess(&app, &format!("p{n}@example.org"), Some(&claimed)).await.is(422);
    }
    guess(&app, "p4@example.org", Some("10.0.0.1, 203.0.113.7")).await.is(429);
    guess(&app, "p4@example.org", Some("203.0.113.7, 203.0.113.8")).await.is(422);
    // A customer's IPv6 network is one address.
    for n in 0..4 {
        guess(&app, &format!("q{n}@example.org"), Some(&format!("2001:db8:1:2::{n}"))).await.is(422);
    }
    guess(&app, "q4@example.org", Some("2001:db8:1:2:ffff::1")).await.is(429);
    guess(&app, "q4@example.org", Some("2001:db8:1:3::1")).await.is(422);
    let first: String = app.db.scalar("SELECT address FROM audit_events ORDER BY id LIMIT 1");
    assert_eq!(first, "203.0.113.7");
    for odd in ["", "unknown", ",", "203.0.113.9,", &"1.1.1.1,".repeat(500)] {
        let status = guess(&app, "r@example.org", Some(odd)).await.status;
        assert!([422, 429].contains(&status), "{status} for {odd}");
    }
}

#[actix_web::test]
async fn throttled_guesses_do_not_fill_the_record() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for _ in 0..20 {
        guess(&app, ada.email, None).await;
    }
    assert_eq!(app.events("log-in-refused"), 5);
}

#[actix_web::test]
async fn a_server_with_no_hand_free_says_so_and_counts_nothing() {
    let app = TestApp::spawn_with(|settings| {
        settings.hashing.memory_kib = 64 * 1024;
        settings.hashing.iterations = 3;
        settings.hashing.permits = 1;
        settings.hashing.queue = 1;
    });
    let statuses = at_once(&app, 12, |n| format!("p{n}@example.org")).await;
    assert_eq!(count(&statuses, 422) + count(&statuses, 503), 12, "{statuses:?}");
    assert!(count(&statuses, 503) > 0 && count(&statuses, 422) > 0, "{statuses:?}");
    let counted: i64 = app.db.scalar("SELECT sum(failures) FROM throttles WHERE bucket LIKE 'account:%'");
    assert_eq!(usize::try_from(counted).unwrap(), count(&statuses, 422));
}

#[actix_web::test]
async fn refunds_for_unchecked_passwords_never_go_below_zero() {
    let app = TestApp::spawn_with(|settings| {
        settings.hashing.memory_kib = 64 * 1024;
        settings.hashing.iterations = 3;
        settings.hashing.permits = 1;
        settings.hashing.queue = 1;
        settings.throttle.account_free = 100;
    });
    let ada = app.ada().await;
    // As if the right password was entered in between, each time.
    app.db.execute(
        "CREATE FUNCTION clear() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN DELETE FROM password_lanes WHERE lane = NEW.lane; RETURN NULL; END'; \
         CREATE TRIGGER clear AFTER INSERT ON password_lanes FOR EACH ROW WHEN (NEW.failures = 1) EXECUTE FUNCTION clear()",
    );
    let statuses = at_once(&app, 12, |_| ada.email.to_owned()).await;
    assert!(count(&statuses, 503) > 0, "{statuses:?}");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM password_lanes WHERE failures < 1"), 0);
}

#[actix_web::test]
async fn a_reader_of_the_whole_database_cannot_log_in_with_its_contents() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let setup = {
        app.db.execute("UPDATE users SET role = 'member'");
        let link = app.accounts.registration.setup_link().await.unwrap().unwrap();
        app.db.execute("UPDATE users SET role = 'admin' WHERE email = 'grace@example.org'");
        link.split_once("token=").unwrap().1.to_owned()
    };
    let mut secrets = vec![ada.password.to_owned(), grace.password.to_owned(), setup];
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account").await.is(200);
    secrets.extend([browser.key(), browser.token.clone()]);
    let mut admin = app.logged_in(&grace).await;
    admin.fill_in("/admin/invitations", &[("email", "alan@example.org")]).await.is(303);
    let fields = [("name", "Eve"), ("email", "eve@example.org"), ("password", "gravel tuba otter lemon")];
    let mut eve = app.browser();
    eve.fill_in("/register", &fields).await.is(303);
    eve.fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    secrets.extend([
        "gravel tuba otter lemon".into(),
        eve.token.clone(),
        eve.cookies["latchkey-form"].clone(),
    ]);
    // The password typed into the wrong field, as happens.
    eve.log_in("hinge meadow oyster drum", "").await.is(422);
    secrets.push("hinge meadow oyster drum".into());
    let letters = app.letters().await;
    secrets.extend(letters.iter().map(crate::support::app::Letter::token));
    assert_eq!(secrets.len(), 12);
    let dump = app.dump();
    assert!(dump.contains("ada@example.org") && dump.len() > 3000);
    for secret in &secrets {
        assert!(!dump.contains(secret.as_str()), "{secret} is in the database");
        assert!(!dump.contains(&HEXLOWER.encode(secret.as_bytes())), "{secret} is in the database as bytes");
        if let Some(bytes) = secret::decode::<32>(secret) {
            assert!(!dump.contains(&HEXLOWER.encode(&bytes)), "{secret} is in the database, decoded");
        }
    }
    // The counters do not reveal which account an attempt was for.
    for typed in ["hinge meadow oyster drum", ada.email, "127.0.0.1"] {
        assert!(!dump.contains(&secret::encode(&secret::sha256(typed.as_bytes()))), "{typed} can be guessed");
    }
    for letter in &letters {
        assert!(!dump.contains(letter.link().as_str()));
    }
    // The database holds the key's hash, which is not accepted as a key.
    let hash: String =
        app.db.scalar("SELECT encode(key_hash, 'hex') FROM sessions ORDER BY created_at LIMIT 1");
    assert_eq!(hash, HEXLOWER.encode(&secret::sha256(browser.key().as_bytes())));
}
