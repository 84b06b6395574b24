//! The data of a user that a session has, and the groups in a user's exported data.

use latchkey::identity::{Client, Email, UserId};

use super::support::{add_group, group};
use crate::support::app::TestApp;

#[actix_web::test]
async fn a_user_is_read_with_address_groups_and_factors() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let email = Email::parse("ADA@example.org").unwrap();
    let read = async || {
        let (id, user) = app.accounts.apps.user(&email).await.unwrap().unwrap();
        assert_eq!(id.0, ada.id);
        user
    };
    let plain = read().await;
    assert_eq!((plain.email(), plain.groups().len()), ("ada@example.org", 0));
    assert!(!plain.factors.totp && !plain.factors.passkey);
    add_group(&app.accounts, "staff").await;
    app.accounts.groups.join(None, &group("staff"), UserId(ada.id), Client::operator()).await.unwrap();
    app.db.execute(&format!("INSERT INTO totp (user_id, sealed_seed) VALUES ('{}', 'x')", ada.id));
    assert!(!read().await.factors.totp, "an authenticator app that is not confirmed is no factor");
    app.db.execute("UPDATE totp SET active_at = now()");
    app.db.execute(&format!(
        "INSERT INTO passkeys (user_id, credential_id, credential, name) VALUES ('{}', 'x', '{{}}', 'Phone')",
        ada.id
    ));
    let with_all = read().await;
    assert_eq!(with_all.groups().iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["staff"]);
    assert!(with_all.factors.totp && with_all.factors.passkey);
    app.db.execute("UPDATE users SET disabled_at = now()");
    assert!(app.accounts.apps.user(&email).await.unwrap().is_none());
}

#[actix_web::test]
async fn a_new_factor_is_known_to_the_sessions_of_its_user_at_once() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/home").await.is(200);
    let mut listening = app.db.connect();
    diesel::connection::SimpleConnection::batch_execute(&mut listening, "LISTEN latchkey").unwrap();
    for statement in [
        format!("INSERT INTO totp (user_id, sealed_seed) VALUES ('{}', 'x')", ada.id),
        "UPDATE totp SET active_at = now()".to_owned(),
        "UPDATE totp SET last_step = 7".to_owned(),
        format!(
            "INSERT INTO passkeys (user_id, credential_id, credential, name) VALUES ('{}', 'x', '{{}}', 'Phone')",
            ada.id
        ),
        "UPDATE passkeys SET last_used_at = now()".to_owned(),
        "DELETE FROM passkeys".to_owned(),
        "DELETE FROM totp".to_owned(),
    ] {
        app.db.execute(&statement);
        let is_known = !statement.contains("last_") && !statement.starts_with("INSERT INTO totp");
        // The next ping of the listener's connection is not needed: a statement receives what was sent before.
        diesel::connection::SimpleConnection::batch_execute(&mut listening, "SELECT 1").unwrap();
        let about_ada = listening
            .notifications_iter()
            .filter(|notification| notification.as_ref().unwrap().payload == ada.id.to_string())
            .count();
        assert_eq!(about_ada > 0, is_known, "{statement}");
    }
}

#[actix_web::test]
async fn the_data_of_a_user_name_their_groups_and_a_deleted_user_is_in_none() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    add_group(&app.accounts, "staff").await;
    app.accounts.groups.join(None, &group("staff"), UserId(ada.id), Client::operator()).await.unwrap();
    let mut browser = app.logged_in(&ada).await;
    let all: serde_json::Value = serde_json::from_str(&browser.get("/account/export").await.body).unwrap();
    assert_eq!(all["groups"][0]["name"], "staff");
    assert_eq!(all["groups"][0]["added_by_an_administrator"], false);
    assert_eq!(all["app_rules"], serde_json::json!([]));
    app.db.execute(&format!("DELETE FROM users WHERE id = '{}'", ada.id));
    let found = app.accounts.groups.find(&group("staff")).await.unwrap().unwrap();
    assert_eq!((found.row.members, found.members.len()), (0, 0));
}
