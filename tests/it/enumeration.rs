//! No response reveals whether an account exists: text, status and headers are the same, and so are the statements sent
//! to the database. `bin/bench enumeration` measures the time.

use latchkey::config::Span;

use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};
use crate::support::statements;

/// The statements of all transactions that wrote an email since the last call.
fn with_a_letter(app: &TestApp) -> Vec<Vec<String>> {
    let mut found = statements::committed(&app.db.url());
    found.retain(|statements| {
        statements.iter().any(|statement| statement.starts_with("INSERT INTO \"outbox\""))
    });
    found
}

#[actix_web::test]
async fn the_same_statements_are_sent_for_known_unknown_and_disabled_users() {
    statements::record();
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.db.execute(&format!("UPDATE users SET disabled_at = now() WHERE id = '{}'", grace.id));
    let mut browser = app.browser();
    for form in ["/forgot-password", "/register"] {
        // The second time, a link replaces the first one.
        for round in 0..2 {
            let mut sent = Vec::new();
            for email in [ada.email, "nobody@example.org", grace.email] {
                with_a_letter(&app);
                send(&mut browser, form, email, "").await.is(303);
                let statements = with_a_letter(&app);
                assert_eq!(statements.len(), 1, "{form} {email}: {statements:?}");
                sent.push(statements.concat());
            }
            let taken_back = |statement: &String| !statement.contains("SAVEPOINT");
            for statements in &mut sent {
                // A statement that was rolled back was sent, too.
                assert_eq!(
                    statements.iter().filter(|one| !taken_back(one)).count(),
                    if form == "/register" { 2 } else { 0 }
                );
                statements.retain(taken_back);
            }
            assert!(sent[0].len() > 3, "{sent:?}");
            assert!(sent.iter().all(|statements| *statements == sent[0]), "{form}, round {round}: {sent:#?}");
        }
    }
    // The email about guesses: another table for the link, and the same kinds of statements.
    let verbs = |statements: &Vec<String>| -> Vec<String> {
        statements
            .iter()
            .map(|statement| statement.split(' ').next().unwrap_or_default().to_owned())
            .collect()
    };
    let mut sent = Vec::new();
    for email in [ada.email, "nobody@example.org"] {
        with_a_letter(&app);
        for _ in 0..5 {
            browser.log_in(email, "not-the-password-at-all").await.is(422);
        }
        let statements = with_a_letter(&app);
        assert_eq!(statements.len(), 1, "{email}: {statements:?}");
        sent.push(verbs(&statements[0]));
    }
    assert_eq!(sent[0], sent[1]);
    // The rows are the same as well: one in each of these tables for each address.
    for (table, rows) in
        [("outbox WHERE recipient = ''", 2 + 2 + 2 + 1), ("user_tokens", 1), ("decoy_tokens", 3)]
    {
        assert_eq!(app.db.scalar::<i64>(&format!("SELECT count(*) FROM {table}")), rows, "{table}");
    }
    let asked = "SELECT count(*) FROM audit_events WHERE act = 'reset-requested'";
    assert_eq!(app.db.scalar::<i64>(asked), 6);
}

/// Each registration sets a new one.
fn without_token(value: &str) -> String {
    match value.strip_prefix("latchkey-registration=") {
        Some(cookie) => format!("latchkey-registration={}", &cookie[43..]),
        None => value.to_owned(),
    }
}

/// Without the parts that are new in every response or that were typed.
fn seen(answer: &Answer, email: &str) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| name.as_str() != "date")
        .map(|(name, value)| (name.to_string(), without_token(value.to_str().unwrap())))
        .filter(|(name, _)| name != "content-length")
        .collect();
    headers.sort();
    (answer.status, headers, answer.body.replace(email, "somebody@example.org"))
}

#[actix_web::test]
async fn known_unknown_disabled_and_locked_people_get_the_same_answers() {
    let app = TestApp::spawn_with(|settings| {
        settings.throttle.longest_wait = Span::seconds(0);
        settings.throttle.first_wait = Span::seconds(0);
        settings.throttle.mails_per_hour = 1000;
    });
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.db.execute(&format!(
        "INSERT INTO users (email, email_key, name, password_hash) SELECT 'alan@example.org', 'alan@example.org', 'Alan', password_hash FROM users WHERE id = '{}'; \
         UPDATE users SET disabled_at = now() WHERE id = '{}'; \
         INSERT INTO password_lanes SELECT id, 'outside', 100 FROM users WHERE email = 'alan@example.org'",
        ada.id, grace.id
    ));
    let people = [
        (ada.email, "not-the-password-at-all"),
        ("nobody@example.org", "not-the-password-at-all"),
        (grace.email, grace.password),
        // Locked: not even the right password is accepted.
        ("alan@example.org", ada.password),
    ];
    let mut browser = app.browser();
    for form in ["/login", "/forgot-password", "/register"] {
        // Beyond the failures at which waiting begins and emails about it are sent.
        for round in 0..7 {
            let mut answers = Vec::new();
            for (email, password) in people {
                answers.push(seen(&send(&mut browser, form, email, password).await, email));
            }
            for answer in &answers[1..] {
                assert_eq!(answer, &answers[0], "{form}, round {round}");
            }
        }
    }
    assert_eq!((app.live_sessions(&ada), app.live_sessions(&grace)), (0, 0));
}

async fn send(browser: &mut Browser, form: &str, email: &str, password: &str) -> Answer {
    match form {
        "/login" => browser.fill_in(form, &[("email", email), ("password", password)]).await,
        "/register" => {
            let password = "gravel tuba otter lemon";
            browser.fill_in(form, &[("name", "Ada"), ("email", email), ("password", password)]).await
        }
        _ => browser.fill_in(form, &[("email", email)]).await,
    }
}
