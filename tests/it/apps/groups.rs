//! Groups and their members.

use futures_util::future::join;
use latchkey::apps::App;
use latchkey::db::Refusable as _;
use latchkey::groups::GroupRefusal;
use latchkey::identity::{Client, LiveUser, UserId};
use latchkey_sessions::{Key, NewSession, Principal};
use serde_json::json;
use uuid::Uuid;

use super::support::{add, add_group, app, detail, for_group, group, refused};
use crate::support::app::TestApp;

/// The groups of a live session, as an instance serves it.
async fn groups_on(app: &TestApp, key: &Key) -> Vec<String> {
    let live: LiveUser = app.accounts.sessions().find(key).await.unwrap().unwrap();
    live.owner.groups().iter().map(ToString::to_string).collect()
}

async fn session(app: &TestApp, user: Uuid) -> Key {
    let sessions = app.accounts.sessions().clone();
    let login = NewSession::new(Principal(user), "password");
    let opened = app.accounts.sessions().write(move |tx| sessions.open(tx, &login)).await;
    opened.unwrap().0
}

#[actix_web::test]
async fn a_membership_counts_on_every_instance_once_the_change_is_answered() {
    let here = TestApp::spawn();
    let there = here.beside(|_| {});
    let ada = here.ada().await;
    let groups = &here.accounts.groups;
    for name in ["staff", "wiki-admins"] {
        add_group(&here.accounts, name).await;
    }
    let key = session(&here, ada.id).await;
    let (staff, user) = (group("staff"), UserId(ada.id));
    for _ in 0..10 {
        assert!(groups_on(&there, &key).await.is_empty());
        assert!(groups.join(None, &staff, user, Client::operator()).await.unwrap());
        assert_eq!(groups_on(&there, &key).await, ["staff"]);
        assert!(groups.leave(None, &staff, user, Client::operator()).await.unwrap());
    }
    groups.join(None, &group("wiki-admins"), user, Client::operator()).await.unwrap();
    groups.join(None, &staff, user, Client::operator()).await.unwrap();
    assert_eq!(groups_on(&there, &key).await, ["staff", "wiki-admins"]);
    groups.remove(None, &staff, Client::operator()).await.unwrap();
    assert_eq!(groups_on(&there, &key).await, ["wiki-admins"]);
}

#[actix_web::test]
async fn a_user_joins_and_leaves_once_and_each_is_an_event_about_the_user() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let (user, admin) = (UserId(ada.id), Some(UserId(grace.id)));
    let (groups, staff) = (&app.accounts.groups, group("staff"));
    add_group(&app.accounts, "staff").await;
    assert!(groups.join(admin, &staff, user, Client::operator()).await.unwrap());
    assert!(!groups.join(admin, &staff, user, Client::operator()).await.unwrap());
    let found = groups.find(&staff).await.unwrap().unwrap();
    assert_eq!((found.row.members, found.members.len()), (1, 1));
    assert_eq!(found.members[0].added_by.as_deref(), Some("Grace Hopper"));
    assert_eq!(groups.of_user(user).await.unwrap(), std::slice::from_ref(&staff));
    assert!(groups.leave(None, &staff, user, Client::operator()).await.unwrap());
    assert!(!groups.leave(None, &staff, user, Client::operator()).await.unwrap());
    assert_eq!((app.events("group.joined"), app.events("group.left")), (1, 1));
    assert_eq!(detail(&app, "group.joined"), json!({ "group": "staff" }));
    let (events, _) = app.accounts.audit.activity(user, 10, 0).await.unwrap();
    assert_eq!(events.len(), 2);
    for (name, user, why) in [
        ("none", user, GroupRefusal::NoSuchGroup),
        ("staff", UserId(Uuid::new_v4()), GroupRefusal::NoSuchUser),
    ] {
        let joined = groups.join(None, &group(name), user, Client::operator()).await;
        assert_eq!(joined.split().unwrap(), Err(why));
    }
}

#[actix_web::test]
async fn a_group_that_a_rule_names_cannot_be_removed() {
    let server = TestApp::spawn();
    let groups = &server.accounts.groups;
    add_group(&server.accounts, "staff").await;
    let taken = groups.add(None, group("staff"), "", Client::operator()).await;
    assert_eq!(refused(taken), GroupRefusal::Taken);
    let wiki = App { rules: vec![for_group("staff")], ..app("wiki") };
    add(&server.accounts, &wiki).await;
    assert_eq!(groups.list().await.unwrap()[0].used_by, ["wiki"]);
    let removed = groups.remove(None, &group("staff"), Client::operator()).await;
    assert_eq!(refused(removed), GroupRefusal::InUse(vec!["wiki".into()]));
    server.accounts.apps.remove(None, wiki.id, Client::operator()).await.unwrap();
    groups.remove(None, &group("staff"), Client::operator()).await.unwrap();
    assert_eq!(groups.list().await.unwrap(), []);
    let removed = groups.remove(None, &group("staff"), Client::operator()).await;
    assert_eq!(refused(removed), GroupRefusal::NoSuchGroup);
}

#[actix_web::test]
async fn a_group_that_is_removed_while_a_rule_takes_it_up_is_never_missing_from_a_rule() {
    let server = TestApp::spawn();
    let there = server.beside(|_| {});
    for round in 0..10 {
        let name = format!("group{round}");
        add_group(&server.accounts, &name).await;
        let wiki = App { rules: vec![for_group(&name)], ..app(&format!("wiki{round}")) };
        let group = group(&name);
        let added = server.accounts.apps.add(None, wiki, Client::operator());
        let removed = there.accounts.groups.remove(None, &group, Client::operator());
        let (added, removed) = join(added, removed).await;
        assert!(added.is_ok() != removed.is_ok(), "{added:?} {removed:?}");
    }
    let missing: i64 = server.db.scalar(
        "SELECT count(*) FROM app_rules, unnest(groups) AS name WHERE name NOT IN (SELECT name FROM groups)",
    );
    assert_eq!(missing, 0);
}

#[actix_web::test]
async fn a_note_is_changed_and_bounded() {
    let app = TestApp::spawn();
    let (groups, staff) = (&app.accounts.groups, group("staff"));
    add_group(&app.accounts, "staff").await;
    groups.set_note(None, &staff, " Everyone with a contract ", Client::operator()).await.unwrap();
    assert_eq!(groups.list().await.unwrap()[0].note, "Everyone with a contract");
    assert_eq!(detail(&app, "group.changed")["note"]["to"], "Everyone with a contract");
    let long = groups.set_note(None, &staff, &"x".repeat(401), Client::operator()).await;
    assert_eq!(refused(long), GroupRefusal::NoteTooLong { max: 400 });
}
