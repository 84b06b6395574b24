//! Which tokens each clean-up revokes, beyond the cells of the table (`cleanup::*`).

use latchkey::identity::Client;

use crate::support::app::TestApp;
use crate::support::tokens::create_token;

#[actix_web::test]
async fn ending_the_others_keeps_the_tokens_of_the_session_that_stays() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut gone = app.logged_in(&ada).await;
    let of_ended = create_token(&mut gone, "Earlier", &[("me", "1")]).await;
    gone.get("/account").await.is(200);
    gone.post("/logout", &[]).await.redirects_to("/login");
    let (mut here, mut elsewhere) = (app.logged_in(&ada).await, app.logged_in(&ada).await);
    let of_here = create_token(&mut here, "Here", &[("me", "1")]).await;
    let of_elsewhere = create_token(&mut elsewhere, "Elsewhere", &[("me", "1")]).await;
    here.get("/account/sessions").await.is(200);
    here.post("/account/sessions/revoke-others", &[]).await.redirects_to("/account/sessions");
    assert!(app.accepts(&of_here).await && app.accepts(&of_ended).await);
    assert!(!app.accepts(&of_elsewhere).await);
}

#[actix_web::test]
async fn a_session_that_expires_keeps_its_tokens() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let text = create_token(&mut browser, "Backup", &[("me", "1")]).await;
    app.db.execute("UPDATE sessions SET expires_at = now() - interval '60 days', created_at = created_at - interval '90 days'");
    app.accounts.sessions().sweep().await.expect("a database");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM sessions"), 0);
    assert!(app.accepts(&text).await);
}

#[actix_web::test]
async fn one_user_is_cleaned_up_and_no_other() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let (hers, other) = (app.token(&ada, &["me"]).await, app.token(&grace, &["me"]).await);
    let user = latchkey::identity::UserId(ada.id);
    app.accounts.admin.revoke_sessions_of(None, user, Client::operator()).await.expect("a user");
    assert!(!app.accepts(hers.text.reveal()).await && app.accepts(other.text.reveal()).await);
}

#[actix_web::test]
async fn the_end_of_all_sessions_ends_all_tokens_on_every_instance_before_it_returns() {
    let here = TestApp::spawn();
    let (ada, grace) = (here.ada().await, here.grace().await);
    let there = here.beside(|_| {});
    let mut texts = Vec::new();
    for person in [&ada, &grace, &ada] {
        texts.push(here.token(person, &["me"]).await);
    }
    for created in &texts {
        assert!(here.accepts(created.text.reveal()).await && there.accepts(created.text.reveal()).await);
    }
    here.accounts.admin.revoke_all_sessions(Client::operator()).await.expect("a database");
    for created in &texts {
        assert!(!here.accepts(created.text.reveal()).await && !there.accepts(created.text.reveal()).await);
    }
    assert_eq!(here.events("token.revoked"), 3);
    let later = here.token(&ada, &["me"]).await;
    assert!(there.accepts(later.text.reveal()).await);
}

/// A token that is being created while its session ends is either refused or revoked.
#[actix_web::test]
async fn no_token_outlives_a_session_that_ends_while_creating_it() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    for round in 0..10 {
        let mut thief = app.logged_in(&ada).await;
        let handle: String =
            app.db.scalar("SELECT handle::text FROM sessions ORDER BY created_at DESC LIMIT 1");
        thief.get("/account/tokens").await.is(200);
        let name = format!("Thief {round}");
        let fields = [("name", name.as_str()), ("expires", "30d"), ("me", "1")];
        let end =
            app.accounts.admin.revoke_session(None, handle.parse().expect("a handle"), Client::operator());
        let (_, ended) = futures_util::future::join(thief.post("/account/tokens", &fields), end).await;
        assert!(ended.expect("a database"));
        assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM tokens"), 0, "round {round}");
    }
}

#[actix_web::test]
async fn a_new_password_revokes_the_tokens_of_sessions_that_have_ended_before() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut thief = app.logged_in(&ada).await;
    let of_thief = create_token(&mut thief, "Backup", &[("me", "1")]).await;
    thief.get("/account").await.is(200);
    thief.post("/logout", &[]).await.redirects_to("/login");
    let of_operator = app.token(&ada, &["me"]).await;
    let mut here = app.logged_in(&ada).await;
    let of_here = create_token(&mut here, "Phone", &[("me", "1")]).await;
    let fields = [("current_password", ada.password), ("password", "gravel tuba otter lemon")];
    here.fill_in("/account/password", &fields).await.redirects_to("/account/password");
    assert!(!app.accepts(&of_thief).await);
    assert!(app.accepts(&of_here).await && app.accepts(of_operator.text.reveal()).await);
    assert_eq!(app.events("token.revoked"), 1);
}

#[actix_web::test]
async fn the_tokens_of_a_removed_app_are_in_the_trail() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    crate::apps::support::add(&app.accounts, &crate::apps::support::app("wiki")).await;
    let created = app.token(&ada, &["app:wiki"]).await;
    let wiki = app.accounts.apps.find("wiki").await.expect("a database").expect("an app");
    let admin = Some(latchkey::identity::UserId(grace.id));
    app.accounts.apps.remove(admin, wiki.id, Client::operator()).await.expect("an app");
    assert!(!app.accepts(created.text.reveal()).await);
    let detail: String = app.db.scalar(&format!(
        "SELECT detail FROM audit_events WHERE act = 'token.revoked' AND subject = '{}' AND actor = '{}'",
        ada.id, grace.id
    ));
    assert!(detail.contains(&created.record.id.to_string()) && detail.contains("app:wiki"), "{detail}");
}
