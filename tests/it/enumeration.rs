//! Who has an account shows in no answer: text, status and headers are the same. Time is measured by
//! `bin/bench enumeration`.

use latchkey::config::Span;

use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};

/// Without what is new in every answer, or was typed.
fn seen(answer: &Answer, email: &str) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| name.as_str() != "date")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
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
        // Locked: not even the right one.
        ("alan@example.org", ada.password),
    ];
    let mut browser = app.browser();
    for form in ["/login", "/forgot-password", "/register"] {
        // Past the point where waiting begins, and letters about it.
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
