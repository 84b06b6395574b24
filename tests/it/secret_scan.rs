//! Nothing stored can be used to log in, and neither the log nor the audit trail contains secrets.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::app::{Person, TestApp};
use crate::support::process::Latchkey;
use crate::support::subjects;

const NEW: &str = "gravel tuba otter lemon";
const NEWER: &str = "velvet anchor pigeon soup";
const WRONG: &str = "not-the-password-at-all";

/// Uses the product as users do, and returns every secret that occurred.
async fn live(app: &TestApp) -> Vec<String> {
    let setup = app.accounts.registration.setup_link().await.unwrap().unwrap();
    let mut secrets = vec![setup.rsplit_once('=').unwrap().1.to_owned()];
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    secrets.push(browser.key());
    app.browser().log_in(ada.email, WRONG).await.is(422);
    // The password typed into the wrong field.
    app.browser().log_in(ada.password, ada.email).await.is(422);
    browser.fill_in("/confirm", &[("password", WRONG)]).await.is(422);
    browser.fill_in("/confirm", &[("password", ada.password)]).await.is(303);
    secrets.push(browser.key());
    let fields = [("current_password", ada.password), ("password", NEW)];
    browser.fill_in("/account/password", &fields).await.is(303);
    secrets.push(browser.key());
    app.browser().fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let fields = [("name", "Alan"), ("email", "alan@example.org"), ("password", NEWER)];
    app.browser().fill_in("/register", &fields).await.is(303);
    let first = ada.password;
    let ada = Person { password: NEW, ..ada };
    let (_, codes) = app.enrol(&mut browser).await;
    app.pending(&ada).await.post("/login/second-factor", &[("code", &codes[0])]).await.redirects_to("/home");
    secrets.extend(codes.iter().map(|code| code.replace('-', "")));
    secrets.extend(codes);
    let mut admin = app.logged_in(&grace).await;
    admin.fill_in("/admin/invitations", &[("email", "mary@example.org")]).await.is(303);
    let path = format!("/admin/users/{}", ada.id);
    admin.get(&path).await.is(200);
    for (verb, fields) in
        [("role", &[("role", "admin")][..]), ("disable", &[]), ("enable", &[]), ("send-reset", &[])]
    {
        admin.post(&format!("{path}/{verb}"), fields).await.is(303);
    }
    secrets.push(admin.key());
    secrets.push(app.app_key(&admin).await);
    // A log-in that still needs the second factor.
    secrets.push(app.pending(&ada).await.key());
    for letter in app.letters().await {
        if letter.text.contains("token=") || letter.text.contains("invite=") {
            secrets.push(letter.token());
        }
    }
    assert!(secrets.len() > 7, "{secrets:?}");
    secrets.extend([first, grace.password, NEW, NEWER, WRONG].map(str::to_owned));
    secrets
}

fn audited(app: &TestApp) -> (Option<i32>, BTreeMap<String, Value>, String) {
    let ran = Latchkey::on(&app.db.url()).run(&["audit", "at-rest", "--json"]);
    let columns = ran.out.lines().map(|line| {
        let column: Value = serde_json::from_str(line).unwrap();
        let name = [&column["table"], &column["column"]].map(|name| name.as_str().unwrap().to_owned());
        (name.join("."), column)
    });
    (ran.code, columns.collect(), ran.err)
}

#[actix_web::test]
async fn the_trail_holds_no_secret() {
    let app = TestApp::spawn();
    let secrets = live(&app).await;
    let trail: String = app.db.scalar("SELECT string_agg(e::text, E'\\n') FROM audit_events e");
    assert!(trail.lines().count() > 12, "{trail}");
    for secret in &secrets {
        assert!(!trail.contains(secret.as_str()), "{secret} is in the trail");
    }
    let ran = Latchkey::on(&app.db.url()).run(&["audit", "verify"]);
    assert!(ran.well()[0].starts_with("The audit trail is intact: "), "{}", ran.out);
}

#[actix_web::test]
async fn a_database_in_use_contains_nothing_to_log_in_with() {
    let app = TestApp::spawn();
    let secrets = live(&app).await;
    let dump = app.dump();
    for secret in &secrets {
        assert!(!dump.contains(secret.as_str()), "{secret} is in the database");
    }
    let (code, columns, why) = audited(&app);
    assert_eq!((code, why.as_str()), (Some(0), ""));
    // The scan really read the columns.
    for (column, kind) in [
        ("sessions.key_hash", "credential"),
        ("session_keys.key_hash", "credential"),
        ("user_tokens.token_hash", "credential"),
        ("invitations.token_hash", "credential"),
        ("registrations.token_hash", "credential"),
        ("known_browsers.token_hash", "credential"),
        ("recovery_codes.code_hash", "credential"),
        ("pending_logins.proven", "digest"),
        ("totp.sealed_seed", "sealed"),
        ("users.password_hash", "password"),
        ("outbox.sealed_body", "sealed"),
        ("audit_chain.hash", "digest"),
        ("audit_events.detail", "plain"),
    ] {
        let found = &columns[column];
        assert!(found["kind"] == kind && found["values"].as_i64() > Some(0), "{column}: {found}");
    }
    let ran = Latchkey::on(&app.db.url()).run(&["audit", "at-rest"]);
    assert_eq!(ran.well().last(), Some(&"No stored value is a usable credential."));
}

#[actix_web::test]
async fn a_stored_credential_is_found_and_not_printed() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let browser = app.logged_in(&ada).await;
    app.browser().fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let (key, token) = (browser.key(), app.letter(ada.email, subjects::RESET_PASSWORD).await.token());
    let cases = [
        (
            "audit_events.detail",
            format!("INSERT INTO audit_events (act, detail) VALUES ('logged-in', 'with {key}')"),
        ),
        ("sessions.state", format!("UPDATE sessions SET state = '{{\"seen\": [\"{key}\"]}}'")),
        (
            "outbox.last_error",
            format!("UPDATE outbox SET last_error = '550 <http://x/reset-password?token={token}>'"),
        ),
        ("users.password_hash", format!("UPDATE users SET password_hash = '{}'", ada.password)),
        (
            "outbox.sealed_body",
            "UPDATE outbox SET sealed_body = 'Here is your link, good for half an hour'".to_owned(),
        ),
        ("leaks.key", format!("CREATE TABLE leaks (key text); INSERT INTO leaks VALUES ('{key}')")),
        ("users.hint", "ALTER TABLE users ADD COLUMN hint text".to_owned()),
    ];
    for (column, change) in cases {
        app.db.execute(&change);
        let (code, columns, why) = audited(&app);
        assert_eq!(code, Some(1), "{column}");
        let unsound: Vec<_> = columns
            .iter()
            .filter(|(_, found)| {
                found["kind"].is_null()
                    || found["misshapen"].as_i64() > Some(0)
                    || found["opening"].as_i64() > Some(0)
            })
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(unsound.contains(&column), "{column}: {unsound:?}");
        assert!(!why.contains(&key) && !why.contains(&token) && !why.contains(ada.password), "{why}");
    }
}
