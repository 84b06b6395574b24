//! The cost of lookups: no query for a malformed token, one query for an unknown token, and no write.

use latchkey::identity::{Client, UserId};
use latchkey::tokens::TokenText;
use latchkey_sessions::Use;

use crate::support::app::TestApp;
use crate::support::process::eventually;

/// Lookups that asked the database.
fn asked(app: &TestApp) -> u64 {
    app.accounts.tokens.cache().counts().misses.get()
}

async fn with_lease(app: &TestApp) {
    eventually("a lease", async || app.accounts.sessions().has_lease().then_some(())).await;
}

#[actix_web::test]
async fn a_malformed_token_costs_no_query() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let created = app.token(&ada, &["me"]).await;
    let text = created.text.reveal();
    let mut mistyped = text.to_owned();
    let last = mistyped.pop().expect("a letter");
    mistyped.push(if last == 'A' { 'B' } else { 'A' });
    for foreign in ["", "lk_", "é", &mistyped, &text[1..], &format!("{text} "), &text.to_uppercase()] {
        assert!(!app.accepts(foreign).await, "{foreign}");
    }
    assert_eq!(asked(&app), 0);
    assert!(app.accepts(text).await);
}

#[actix_web::test]
async fn an_unknown_token_costs_one_query_and_a_revoked_one_as_well() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let created = app.token(&ada, &["me"]).await;
    let text = created.text.reveal();
    assert_eq!(text.len(), TokenText::CHARS);
    with_lease(&app).await;
    app.accounts.tokens.revoke(None, created.record.id, Client::operator()).await.expect("a database");
    let before = asked(&app);
    for _ in 0..50 {
        assert!(!app.accepts(text).await);
    }
    assert_eq!(asked(&app) - before, 1);
}

#[actix_web::test]
async fn a_token_in_memory_costs_no_query_and_no_write() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let created = app.token(&ada, &["me"]).await;
    with_lease(&app).await;
    assert!(app.accepts(created.text.reveal()).await);
    let (before, rows) = (asked(&app), app.dump());
    for _ in 0..50 {
        let found = app.accounts.tokens.find(created.text.reveal(), Use::Counts).await.expect("a database");
        assert!(found.is_some());
    }
    assert_eq!((asked(&app), app.dump()), (before, rows));
}

#[actix_web::test]
async fn its_last_use_is_written_later_and_once_per_interval() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let created = app.token(&ada, &["me"]).await;
    let (tokens, text) = (&app.accounts.tokens, created.text.reveal());
    let last_used = async || {
        let listed = tokens.of_user(UserId(ada.id)).await.expect("a database");
        listed[0].last_used_at
    };
    let flush = async || app.accounts.sessions().flush_touches().await.expect("a database");
    assert!(tokens.find(text, Use::Background).await.expect("a database").is_some());
    assert_eq!((flush().await, last_used().await), (0, None));
    assert!(tokens.find(text, Use::Counts).await.expect("a database").is_some());
    assert_eq!(last_used().await, None, "nothing is written in the request");
    assert_eq!(flush().await, 1);
    let first = last_used().await.expect("a use");
    assert!(tokens.find(text, Use::Counts).await.expect("a database").is_some());
    assert_eq!(flush().await, 0);
    // After the interval the next use counts.
    app.db.execute("UPDATE tokens SET last_used_at = last_used_at - interval '2 minutes'");
    let used_again = async || {
        assert!(tokens.find(text, Use::Counts).await.expect("a database").is_some());
        (flush().await == 1).then_some(())
    };
    eventually("another use", used_again).await;
    assert!(last_used().await.expect("a use") >= first);
}

#[actix_web::test]
async fn an_expired_token_is_not_found_and_deleted_later() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let (expired, alive) = (app.token(&ada, &["me"]).await, app.token(&ada, &["me"]).await);
    app.db.execute(&format!(
        "UPDATE tokens SET created_at = created_at - interval '2 days', expires_at = expires_at - interval '2 days' \
         WHERE id = '{}'",
        expired.record.id
    ));
    assert!(!app.accepts(expired.text.reveal()).await && app.accepts(alive.text.reveal()).await);
    let listed = app.accounts.tokens.all().await.expect("a database");
    assert_eq!(listed, [alive.record]);
    app.accounts.maintenance.purge().await.expect("a database");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM tokens"), 1);
}
