//! Changes of apps are announced on the channel that earlier versions know.

use diesel::connection::SimpleConnection as _;
use uuid::Uuid;

use super::support::{add, add_group, app, for_group};
use crate::support::app::TestApp;

#[actix_web::test]
async fn every_change_of_apps_is_announced_in_a_form_that_earlier_versions_understand() {
    let server = TestApp::spawn();
    let ada = server.ada().await;
    let mut listening = server.db.connect();
    listening.batch_execute("LISTEN latchkey").unwrap();
    let mut heard = || -> Vec<String> {
        listening.batch_execute("SELECT 1").unwrap();
        let all = listening.notifications_iter().map(|one| one.unwrap().payload);
        all.filter(|payload| !payload.contains(' ')).collect()
    };
    add_group(&server.accounts, "staff").await;
    let wiki = latchkey::apps::App { rules: vec![for_group("staff")], ..app("wiki") };
    heard();
    add(&server.accounts, &wiki).await;
    let topic = heard();
    assert_eq!(topic.len(), 1, "one message for a transaction: {topic:?}");
    // Earlier versions read a message of one word as a principal. No user has this id.
    let id: Uuid = topic[0].parse().unwrap();
    assert_ne!(id, ada.id);
    for statement in [
        "UPDATE apps SET name = 'x'",
        "UPDATE app_rules SET note = 'x'",
        "UPDATE app_origins SET origin = 'https://other.example.org', host = 'other.example.org'",
        "DELETE FROM app_rules",
        "DELETE FROM apps",
    ] {
        server.db.execute(statement);
        assert_eq!(heard(), topic, "{statement}");
    }
    server
        .db
        .execute(&format!("INSERT INTO group_members (group_name, user_id) VALUES ('staff', '{}')", ada.id));
    assert_eq!(heard(), [ada.id.to_string()]);
    server.db.execute("UPDATE groups SET note = 'x'");
    assert_eq!(heard(), Vec::<String>::new());
    server.db.execute("UPDATE groups SET name = 'crew'");
    assert_eq!(heard(), [ada.id.to_string()], "renaming a group changes what its members have");
    server.db.execute("DELETE FROM groups");
    assert_eq!(heard(), [ada.id.to_string()]);
}
