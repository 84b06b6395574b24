//! However a token is revoked, it works on no instance once the revocation is answered.

use diesel::connection::SimpleConnection as _;
use futures_util::future::join_all;
use latchkey::identity::{Client, GroupName, Role, UserId};
use latchkey::tokens::ApiScope;
use latchkey_sessions::Use;

use crate::support::app::TestApp;
use crate::support::process::eventually;
use crate::support::tokens::create_token;

/// Returns when both instances serve the token from memory.
async fn warm(instances: [&TestApp; 2], text: &str) {
    for app in instances {
        eventually("a token in memory", async || {
            assert!(app.accepts(text).await);
            let hits = app.accounts.tokens.cache().counts().hits.get();
            assert!(app.accepts(text).await);
            (app.accounts.tokens.cache().counts().hits.get() > hits).then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn a_token_that_its_owner_revokes_is_dead_on_every_instance_before_the_answer() {
    let here = TestApp::spawn();
    let ada = here.ada().await;
    let there = here.beside(|_| {});
    let mut browser = here.logged_in(&ada).await;
    for round in 0..10 {
        let text = create_token(&mut browser, &format!("Program {round}"), &[("me", "1")]).await;
        let kept = create_token(&mut browser, &format!("Other {round}"), &[("me", "1")]).await;
        warm([&here, &there], &text).await;
        let id = here.find_token(&text).await.expect("a token").id;
        browser.get("/account/tokens").await.is(200);
        browser.post(&format!("/account/tokens/{id}/revoke"), &[]).await.redirects_to("/account/tokens");
        assert!(!here.accepts(&text).await && !there.accepts(&text).await, "round {round}");
        assert!(here.accepts(&kept).await && there.accepts(&kept).await);
    }
}

#[actix_web::test]
async fn under_load_no_request_that_begins_after_the_answer_is_admitted() {
    let here = TestApp::spawn();
    let ada = here.ada().await;
    let there = here.beside(|_| {});
    for _ in 0..10 {
        let created = here.token(&ada, &["me"]).await;
        let text = created.text.reveal();
        warm([&here, &there], text).await;
        let busy = join_all((0..200).map(|number| {
            let app = if number % 2 == 0 { &here } else { &there };
            app.accepts(text)
        }));
        let revoking = here.accounts.tokens.revoke(None, created.record.id, Client::operator());
        let (_, revoked) = futures_util::future::join(busy, revoking).await;
        assert!(revoked.expect("a database").is_some());
        assert!(!here.accepts(text).await && !there.accepts(text).await);
    }
}

#[actix_web::test]
async fn the_tokens_of_a_disabled_user_are_revoked_and_stay_so_when_the_user_is_enabled() {
    let here = TestApp::spawn();
    let ada = here.ada().await;
    let there = here.beside(|_| {});
    let created = here.token(&ada, &["me"]).await;
    let text = created.text.reveal();
    warm([&here, &there], text).await;
    let (admin, user) = (&here.accounts.admin, UserId(ada.id));
    admin.disable(None, user, Client::operator()).await.expect("a user");
    assert!(!here.accepts(text).await && !there.accepts(text).await);
    admin.enable(None, user, Client::operator()).await.expect("a user");
    assert!(!here.accepts(text).await && !there.accepts(text).await);
    assert_eq!(here.events("token.revoked"), 1);
}

#[actix_web::test]
async fn a_demotion_and_a_group_count_from_the_next_request_on() {
    let here = TestApp::spawn();
    let (grace, mary) = (here.grace().await, here.mary().await);
    let there = here.beside(|_| {});
    here.accounts
        .admin
        .set_role(None, UserId(mary.id), Role::Admin, Client::operator())
        .await
        .expect("a user");
    let (own, created) = (here.token(&mary, &["me"]).await, here.token(&mary, &["me", "users:read"]).await);
    let (text, of_role) = (own.text.reveal(), created.text.reveal());
    for text in [text, of_role] {
        warm([&here, &there], text).await;
    }
    let allows = async |app: &TestApp, scope| app.find_token(of_role).await.expect("a token").allows(scope);
    assert!(allows(&here, ApiScope::UsersRead).await && allows(&there, ApiScope::UsersRead).await);
    assert!(!allows(&here, ApiScope::UsersWrite).await, "a scope that it does not have");
    here.accounts
        .admin
        .set_role(Some(UserId(grace.id)), UserId(mary.id), Role::Member, Client::operator())
        .await
        .expect("a user");
    for app in [&here, &there] {
        assert!(!app.accepts(of_role).await && app.accepts(text).await);
    }
    here.accounts
        .admin
        .set_role(Some(UserId(grace.id)), UserId(mary.id), Role::Admin, Client::operator())
        .await
        .expect("a user");
    assert!(!here.accepts(of_role).await && !there.accepts(of_role).await);
    let actor: String = here.db.scalar("SELECT actor::text FROM audit_events WHERE act = 'token.revoked'");
    assert_eq!(actor, grace.id.to_string());
    let staff = GroupName::parse("staff").expect("a name");
    let groups = &here.accounts.groups;
    groups.add(None, staff.clone(), "", Client::operator()).await.expect("a group");
    groups.join(None, &staff, UserId(mary.id), Client::operator()).await.expect("a member");
    for app in [&here, &there] {
        assert_eq!(app.find_token(text).await.expect("a token").user.groups(), std::slice::from_ref(&staff));
    }
}

#[actix_web::test]
async fn a_token_of_an_app_ends_with_the_app_and_opens_nothing_else() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    crate::apps::support::add(&app.accounts, &crate::apps::support::app("wiki")).await;
    let created = app.token(&ada, &["app:wiki"]).await;
    let found = app.find_token(created.text.reveal()).await.expect("a token");
    let wiki = app.accounts.apps.snapshot().await.expect("apps").by_slug("wiki").expect("an app").id;
    assert!(found.opens(wiki) && !found.opens(latchkey::apps::AppId(ada.id)));
    assert!(ApiScope::ALL.into_iter().all(|scope| !found.allows(scope)));
    assert!(
        !app.find_token(app.token(&ada, &["me"]).await.text.reveal()).await.expect("a token").opens(wiki)
    );
    app.db.execute("DELETE FROM apps");
    eventually("the end", async || (!app.accepts(created.text.reveal()).await).then_some(())).await;
}

/// Without a lease, an instance reads tokens from the database, so it needs no announcement.
#[actix_web::test]
async fn an_instance_that_lost_its_lease_accepts_no_revoked_token() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let created = app.token(&ada, &["me"]).await;
    let text = created.text.reveal();
    assert!(app.accepts(text).await);
    // The listener cannot register again while the table is locked.
    let mut locking = app.db.connect();
    locking.batch_execute("BEGIN; LOCK TABLE listeners IN SHARE MODE").expect("a lock");
    app.db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
         AND pid <> pg_backend_pid() AND query NOT LIKE 'BEGIN; LOCK%'",
    );
    eventually("a lost lease", async || (!app.accounts.sessions().has_lease()).then_some(())).await;
    app.db.execute("DELETE FROM tokens");
    assert!(!app.accepts(text).await);
}

#[actix_web::test]
async fn an_unreachable_database_is_a_fault_not_an_answer() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let created = app.token(&ada, &["me"]).await;
    app.db.cut_off();
    app.db.end_connections();
    eventually("a lost lease", async || (!app.accounts.sessions().has_lease()).then_some(())).await;
    assert!(app.accounts.tokens.find(created.text.reveal(), Use::Counts).await.is_err());
    app.db.restore();
    eventually("the database", async || {
        app.accounts.tokens.find(created.text.reveal(), Use::Counts).await.ok()?
    })
    .await;
}
