//! One mailbox has one account, in any spelling of its domain; and two versions of the program work on one database
//! during an upgrade.

use crate::support::app::{Person, TestApp};
use crate::support::subjects;

const UNICODE: &str = "ada@zürich.example";
const PUNYCODE: &str = "ada@xn--zrich-kva.example";
const SPELLINGS: [&str; 5] =
    [UNICODE, PUNYCODE, "Ada@ZÜRICH.example", "ada@zu\u{308}rich.example", "ada@xn--ZRICH-kva.Example"];

/// Ada, whose row has this address, as versions before `email_idn_key` wrote it.
async fn ada_of_before(app: &TestApp, email: &'static str) -> Person {
    let ada = app.ada().await;
    app.db.execute(&format!(
        "UPDATE users SET email = '{email}', email_key = '{}' WHERE id = '{}'",
        email.to_lowercase(),
        ada.id
    ));
    Person { email, ..ada }
}

fn idn_key(app: &TestApp, email: &str) -> String {
    app.db.scalar(&format!("SELECT coalesce(email_idn_key, '') FROM users WHERE email = '{email}'"))
}

#[actix_web::test]
async fn every_spelling_logs_in_resets_and_is_taken() {
    for row in [UNICODE, PUNYCODE] {
        let app = TestApp::spawn();
        let ada = ada_of_before(&app, row).await;
        for filled in [false, true] {
            if filled {
                app.accounts.maintenance.fill_idn_keys().await.unwrap();
            }
            for typed in SPELLINGS {
                app.browser().log_in(typed, ada.password).await.redirects_to("/home");
            }
            app.db.execute("DELETE FROM outbox; DELETE FROM throttles");
            app.browser().fill_in("/forgot-password", &[("email", SPELLINGS[3])]).await.is(303);
            assert_eq!(app.letters().await.len(), 1);
            app.letter(row, subjects::RESET_PASSWORD).await;
            let person = [("name", "Eve"), ("email", SPELLINGS[2]), ("password", "gravel tuba otter lemon")];
            app.browser().fill_in("/register", &person).await.is(303);
            app.letter(row, subjects::ALREADY_REGISTERED).await;
            assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM registrations"), 0);
        }
    }
}

#[actix_web::test]
async fn a_registration_in_unicode_is_logged_in_to_as_chromium_spells_it() {
    let app = TestApp::spawn();
    let person = [("name", "Ada"), ("email", "Ada@Zürich.example"), ("password", "gravel tuba otter lemon")];
    let mut browser = app.browser();
    browser.fill_in("/register", &person).await.is(303);
    let link = app.letter("Ada@Zürich.example", subjects::VERIFY_EMAIL).await;
    let mut other = app.browser();
    other.fill_in("/register", &[("name", "Ada"), ("email", PUNYCODE), person[2]]).await.is(303);
    browser.open(&link.link()).await.is(200);
    browser.post("/verify-email", &[("token", &link.token())]).await.redirects_to("/login");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM registrations"), 0);
    assert_eq!(idn_key(&app, "Ada@Zürich.example"), PUNYCODE);
    browser.log_in(PUNYCODE, person[2].1).await.redirects_to("/home");
    // It is shown as typed.
    browser.get("/account").await.is(200).says("Ada@Zürich.example");
}

#[actix_web::test]
async fn failures_of_all_spellings_are_counted_together() {
    let app = TestApp::spawn();
    ada_of_before(&app, UNICODE).await;
    for typed in SPELLINGS {
        app.browser().log_in(typed, "not-the-password-at-all").await.is(422);
    }
    app.browser().log_in("nobody@zürich.example", "not-the-password-at-all").await.is(422);
    for typed in SPELLINGS {
        app.browser().log_in(typed, "not-the-password-at-all").await.is(429);
    }
}

#[actix_web::test]
async fn an_invitation_in_one_spelling_is_accepted_withdrawn_and_refused_in_another() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    admin.fill_in("/admin/invitations", &[("email", UNICODE)]).await.is(303);
    admin.fill_in("/admin/invitations", &[("email", PUNYCODE)]).await.is(303);
    let open = "SELECT count(*) FROM invitations WHERE withdrawn_at IS NULL";
    assert_eq!(app.db.scalar::<i64>(open), 1);
    ada_of_before(&app, PUNYCODE).await;
    admin.fill_in("/admin/invitations", &[("email", UNICODE)]).await.is(422);
}

#[actix_web::test]
async fn administrators_and_commands_find_every_spelling() {
    let app = TestApp::spawn();
    let ada = ada_of_before(&app, PUNYCODE).await;
    let grace = app.grace().await;
    app.logged_in(&ada).await;
    let mut admin = app.logged_in(&grace).await;
    for q in [PUNYCODE, UNICODE, "zürich", "ZÜRICH.example", "a@zürich"] {
        let q: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
        for list in ["users", "sessions"] {
            let page = admin.get(&format!("/admin/{list}?q={q}")).await;
            assert_eq!(page.is(200).count("tbody tr"), 1, "{list} {q}");
        }
        assert!(admin.get(&format!("/admin/audit?q={q}")).await.is(200).count("tbody tr") >= 1, "{q}");
    }
    let email = latchkey::identity::Email::parse(UNICODE).unwrap();
    assert_eq!(app.accounts.admin.user_id(&email).await.unwrap().unwrap().0, ada.id);
    assert!(app.accounts.recovery.reset_link(&email).await.unwrap().is_some());
}

#[actix_web::test]
async fn leaving_takes_what_was_sent_to_any_spelling_along() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    admin.fill_in("/admin/invitations", &[("email", PUNYCODE)]).await.is(303);
    let ada = ada_of_before(&app, UNICODE).await;
    let mut browser = app.logged_in(&ada).await;
    let export = browser.get("/account/export").await.json();
    assert_eq!(export["invitations"][0]["sent_to"], PUNYCODE);
    browser.fill_in("/account/delete", &[("email", PUNYCODE)]).await.redirects_to("/login");
    app.db.execute(
        "UPDATE users SET delete_after = now() - interval '1 second' WHERE delete_after IS NOT NULL",
    );
    app.accounts.maintenance.purge().await.unwrap();
    let left: i64 = app.db.scalar(
        "SELECT (SELECT count(*) FROM invitations) + (SELECT count(*) FROM outbox WHERE recipient ILIKE '%zrich%') \
             + (SELECT count(*) FROM audit_events WHERE detail ILIKE '%zrich%')",
    );
    assert_eq!(left, 0);
}

/// What the version before this one does, in its own SQL.
#[actix_web::test]
async fn the_version_before_works_on_rows_of_this_one_and_the_other_way_round() {
    let app = TestApp::spawn();
    let insert = |email: &str| {
        format!(
            "INSERT INTO users (email, email_key, name) VALUES ('{email}', lower('{email}'), 'Ada') ON CONFLICT (email_key) DO NOTHING"
        )
    };
    let ada = ada_of_before(&app, UNICODE).await;
    let keys = app.accounts.maintenance.fill_idn_keys().await.unwrap();
    assert_eq!((keys.filled, keys.shared, idn_key(&app, UNICODE).as_str()), (1, 0, PUNYCODE));
    // It finds the row by the key that it knows, and does not create another.
    let found = format!("SELECT count(*) FROM users WHERE email_key = '{UNICODE}'");
    app.db.execute(&insert(UNICODE));
    assert_eq!(app.db.scalar::<i64>(&found), 1);
    // It changes the address without knowing the new column.
    app.db.execute(&format!(
        "UPDATE users SET email = 'ada@bücher.example', email_key = 'ada@bücher.example' WHERE id = '{}'",
        ada.id
    ));
    assert_eq!(idn_key(&app, "ada@bücher.example"), "");
    app.browser().log_in("ada@xn--bcher-kva.example", ada.password).await.redirects_to("/home");
    app.browser().log_in(PUNYCODE, ada.password).await.is(422);
    assert_eq!(app.accounts.maintenance.purge().await.unwrap(), 1);
    assert_eq!(idn_key(&app, "ada@bücher.example"), "ada@xn--bcher-kva.example");
    assert_eq!(app.accounts.maintenance.purge().await.unwrap(), 0);
}

#[actix_web::test]
async fn two_accounts_of_one_mailbox_each_keep_their_spelling_until_one_goes() {
    let app = TestApp::spawn();
    let (password, other) = ("poetical-science-1843", "on the connexion of the sciences");
    ada_of_before(&app, UNICODE).await;
    let mary = app.mary().await;
    app.db.execute(&format!(
        "UPDATE users SET email = '{PUNYCODE}', email_key = '{PUNYCODE}' WHERE id = '{}'",
        mary.id
    ));
    let keys = app.accounts.maintenance.fill_idn_keys().await.unwrap();
    assert_eq!((keys.filled, keys.shared), (0, 1));
    app.browser().log_in(UNICODE, password).await.redirects_to("/home");
    app.browser().log_in(UNICODE, other).await.is(422);
    app.browser().log_in(PUNYCODE, other).await.redirects_to("/home");
    app.db.execute(&format!("DELETE FROM users WHERE id = '{}'", mary.id));
    assert_eq!(app.accounts.maintenance.fill_idn_keys().await.unwrap().filled, 1);
    app.browser().log_in(PUNYCODE, password).await.redirects_to("/home");
}

#[actix_web::test]
async fn several_instances_fill_in_at_once() {
    let app = TestApp::spawn();
    app.db.execute(
        "INSERT INTO users (email, email_key, name) SELECT 'u' || n || '@bücher.example', 'u' || n || '@bücher.example', 'U' \
         FROM generate_series(1, 1200) n",
    );
    let (one, other) = futures_util::future::join(
        app.accounts.maintenance.fill_idn_keys(),
        app.accounts.maintenance.fill_idn_keys(),
    )
    .await;
    let filled = one.unwrap().filled + other.unwrap().filled;
    assert!(filled >= 1200, "{filled}");
    let left = "SELECT count(*) FROM users WHERE email_idn_key IS DISTINCT FROM split_part(email_key, '@', 1) || '@xn--bcher-kva.example'";
    assert_eq!(app.db.scalar::<i64>(left), 0);
}

/// Two users who submit at the same moment, one in a browser that sends punycode.
#[actix_web::test]
async fn of_two_spellings_at_once_one_becomes_the_account() {
    let app = TestApp::spawn();
    let password = ("password", "gravel tuba otter lemon");
    let mut confirmations = Vec::new();
    for email in [UNICODE, PUNYCODE] {
        let mut browser = app.browser();
        browser.fill_in("/register", &[("name", "Ada"), ("email", email), password]).await.is(303);
        let letter = app.letter(email, subjects::VERIFY_EMAIL).await;
        browser.open(&letter.link()).await.is(200);
        confirmations
            .push(async move { browser.post("/verify-email", &[("token", &letter.token())]).await.status });
    }
    futures_util::future::join_all(confirmations).await;
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users"), 1);
}
