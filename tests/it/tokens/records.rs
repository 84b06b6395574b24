//! Records of tokens: the audit trail, emails, the export, the scan for secrets, and deletion.

use serde_json::Value;

use latchkey::identity::{Client, UserId};

use crate::support::app::TestApp;
use crate::support::subjects;
use crate::support::tokens::create_token;

fn detail(app: &TestApp, act: &str) -> Value {
    let text: String = app
        .db
        .scalar(&format!("SELECT detail FROM audit_events WHERE act = '{act}' ORDER BY id DESC LIMIT 1"));
    serde_json::from_str(&text).expect("JSON")
}

#[actix_web::test]
async fn creating_and_revoking_are_in_the_trail_with_name_and_scopes() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&ada).await;
    let text = create_token(&mut browser, "Nightly backup", &[("me", "1")]).await;
    let id = app.find_token(&text).await.expect("a token").id;
    let created = detail(&app, "token.created");
    assert_eq!(created["token"], "Nightly backup");
    assert_eq!(created["token_id"], id.to_string());
    assert_eq!(created["scopes"], serde_json::json!(["me"]));
    assert!(created["expires"].as_str().is_some_and(|at| at.ends_with('Z')));
    let by_owner: bool = app.db.scalar(
        "SELECT bool_and(actor = subject AND session IS NOT NULL) FROM audit_events WHERE act = 'token.created'",
    );
    assert!(by_owner);
    let admin = Some(UserId(grace.id));
    app.accounts.tokens.revoke(admin, id, Client::default()).await.expect("a database");
    assert_eq!(detail(&app, "token.revoked"), created);
    let by_admin: bool = app.db.scalar(&format!(
        "SELECT bool_and(actor = '{}' AND subject = '{}') FROM audit_events WHERE act = 'token.revoked'",
        grace.id, ada.id
    ));
    assert!(by_admin);
    let page = browser.get("/account/activity").await;
    page.has_event("token.created").has_event("token.revoked").says("Nightly backup").does_not_say(&text);
    assert_eq!((app.events("token.created"), app.events("token.revoked")), (1, 1));
}

#[actix_web::test]
async fn the_owner_is_emailed_and_the_link_ends_the_session_and_every_token() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut thief = app.logged_in(&ada).await;
    let text = create_token(&mut thief, "see evil dot example", &[("me", "1")]).await;
    let older = app.token(&ada, &["me"]).await;
    let letter = app.letter(ada.email, subjects::TOKEN_CREATED).await;
    let letters = app.letters().await;
    let with_link = letters
        .iter()
        .find(|letter| letter.subject == subjects::TOKEN_CREATED && letter.text.contains("/not-me?"));
    let with_link = with_link.expect("the letter about the thief's token");
    assert!(letters.iter().all(|letter| !letter.text.contains("evil")), "no text of the thief is mailed");
    assert!(
        letter.text.contains("by the operator")
            && letter.text.contains("with the scopes me,")
            && letter.text.contains("/account/tokens"),
        "{}",
        letter.text
    );
    let mut owner = app.browser();
    owner.get("/login").await.is(200);
    owner.open(&with_link.link()).await.is(200);
    owner.post("/not-me", &[("token", &with_link.token())]).await.redirects_to("/login");
    assert!(!app.accepts(&text).await && !app.accepts(older.text.reveal()).await);
    assert!(!thief.is_in().await);
    assert_eq!(app.events("token.revoked"), 2);
}

#[actix_web::test]
async fn the_export_lists_the_tokens_and_no_secret_is_stored_anywhere() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let text = create_token(&mut browser, "Backup", &[("me", "1")]).await;
    let answer = browser.get("/account/export").await;
    let all: Value = serde_json::from_str(&answer.body).expect("JSON");
    let tokens = all["tokens"].as_array().expect("a section");
    assert_eq!((tokens.len(), &tokens[0]["name"]), (1, &"Backup".into()));
    assert_eq!(tokens[0]["scopes"], serde_json::json!(["me"]));
    assert_eq!(tokens[0]["session"], all["sessions"][0]["handle"]);
    assert!(!answer.body.contains(&text) && !app.dump().contains(&text));

    let scan = async || app.accounts.maintenance.scan_for_secrets().await.expect("a database");
    assert!(scan().await.iter().all(latchkey::maintenance::ScannedColumn::is_clean));
    app.db.execute(&format!("UPDATE users SET name = 'x {text}'"));
    let found: Vec<String> = scan()
        .await
        .into_iter()
        .filter(|column| !column.is_clean())
        .map(|column| format!("{}.{}", column.table, column.column))
        .collect();
    assert_eq!(found, ["users.name"]);
}

#[actix_web::test]
async fn a_deleted_account_leaves_no_token() {
    let app = TestApp::spawn();
    let (ada, _) = (app.ada().await, app.grace().await);
    let created = app.token(&ada, &["me"]).await;
    let mut browser = app.logged_in(&ada).await;
    browser.fill_in("/account/delete", &[("email", ada.email)]).await.redirects_to("/login");
    assert!(!app.accepts(created.text.reveal()).await, "from the request on");
    // A token of an older version's user, who is deleted later.
    app.db.execute("UPDATE users SET delete_after = NULL");
    let later = app.token(&ada, &["me"]).await;
    app.db.execute(&format!(
        "UPDATE users SET delete_after = now() - interval '1 second' WHERE id = '{}'",
        ada.id
    ));
    app.accounts.maintenance.purge().await.expect("a database");
    assert!(!app.accepts(later.text.reveal()).await);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM tokens"), 0);
}
