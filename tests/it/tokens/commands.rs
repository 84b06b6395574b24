//! `latchkey token …`.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::process::Latchkey;

#[actix_web::test]
async fn the_operator_creates_lists_and_revokes_tokens() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let latchkey = Latchkey::on(&app.db.url());
    assert_eq!(latchkey.run(&["token", "list"]).well(), ["No tokens."]);
    let create = |arguments: &[&str]| {
        let mut all = vec!["token", "create", "--user", grace.email];
        all.extend_from_slice(arguments);
        latchkey.run(&all)
    };
    let made = create(&["--name", "SIEM", "--scope", "audit:read", "users:read", "--expires", "90d"]);
    let [text] = made.well()[..] else { panic!("{}", made.out) };
    assert!(app.accepts(text).await, "the token alone is on standard output");
    let other = create(&["--name", "Backup", "--scope", "me", "--scope", "apps:read"]);
    assert_eq!(other.well().len(), 1);

    let listed = latchkey.run(&["token", "list", "--json", "--user", grace.email]);
    let rows: Vec<Value> =
        listed.well().into_iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 2);
    let row = rows.iter().find(|row| row["name"] == "SIEM").expect("the first token");
    assert_eq!(row["scopes"], json!(["users:read", "audit:read"]));
    assert_eq!((&row["email"], &row["made_by"]), (&json!(grace.email), &Value::Null));
    assert_eq!((&row["user"], &row["last_used"]), (&json!(grace.id.to_string()), &Value::Null));
    for field in ["id", "created", "expires"] {
        assert!(row[field].is_string(), "{row}");
    }
    assert!(!listed.out.contains(text));
    assert_eq!(latchkey.run(&["token", "list"]).well().len(), 3);
    let expires: bool = app.db.scalar("SELECT bool_and(expires_at = created_at + CASE name WHEN 'SIEM' THEN interval '90 days' ELSE interval '30 days' END) FROM tokens");
    assert!(expires);

    latchkey.run(&["token", "revoke", row["id"].as_str().expect("an id")]).well();
    assert!(!app.accepts(text).await, "dead when the command has ended");
    let again = latchkey.run(&["token", "revoke", row["id"].as_str().expect("an id")]);
    assert_eq!(again.refused(), "there is no such token");
}

#[actix_web::test]
async fn a_refused_command_says_why() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let latchkey = Latchkey::on(&app.db.url());
    latchkey.run(&["token", "create", "--user", ada.email, "--name", "Phone", "--scope", "me"]).well();
    for (user, name, scope, expires, why) in [
        ("nobody@example.org", "X", "me", "30d", "there is no user nobody@example.org"),
        (ada.email, "X", "everything", "30d", "There is no scope everything."),
        (ada.email, "X", "users:read", "30d", "Only administrators can have the scope users:read."),
        (ada.email, "X", "app:wiki", "30d", "No app with the short name wiki accepts this token."),
        (ada.email, "X", "me", "2 weeks", "\"2 weeks\" is not a duration such as 30d"),
        (ada.email, "X", "me", "366d", "A token can last 365 days at most."),
        (ada.email, "Phone", "me", "30d", "the user already has a token with this name: choose another name"),
    ] {
        let ran = latchkey.run(&[
            "token",
            "create",
            "--user",
            user,
            "--name",
            name,
            "--scope",
            scope,
            "--expires",
            expires,
        ]);
        assert_eq!(ran.refused(), why);
    }
    assert_eq!(latchkey.run(&["token", "revoke", "x"]).refused(), "\"x\" is not the id of a token");
}
