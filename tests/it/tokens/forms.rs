//! The page of a user's tokens, and the administrator's.

use crate::support::app::TestApp;
use crate::support::tokens::create_token;

const PAGE: &str = "/account/tokens";

#[actix_web::test]
async fn a_token_is_shown_once_listed_and_revoked() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get(PAGE).await.is(200).is_page("account/tokens").has_notice("empty");
    let text = create_token(&mut browser, "Nightly backup", &[("me", "1")]).await;
    assert!(app.accepts(&text).await);
    let page = browser.get(PAGE).await;
    page.is(200)
        .says("Nightly backup")
        .has_notice("never-used")
        .does_not_say(&text)
        .has_no_notice("by-operator");
    let id = page.attribute("li[data-token]", "data-token").expect("a token");
    browser.post(&format!("{PAGE}/{id}/revoke"), &[]).await.redirects_to(PAGE);
    browser.get(PAGE).await.has_flash("token-revoked").has_notice("empty");
    assert!(!app.accepts(&text).await);
    browser.post(&format!("{PAGE}/{id}/revoke"), &[]).await.is(404);
}

#[actix_web::test]
async fn the_answer_is_not_stored_and_a_reload_creates_no_second_token() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let fields = [("name", "Backup"), ("expires", "7d"), ("me", "1")];
    let made = browser.fill_in(PAGE, &fields).await;
    made.is(200).is_page("account/tokens/created");
    assert!(made.header("cache-control").is_some_and(|value| value.contains("no-store")));
    browser.post(PAGE, &fields).await.is(422).is_page("account/tokens").is_refused("name-taken");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM tokens"), 1);
    let lifetime: bool = app.db.scalar("SELECT expires_at = created_at + interval '7 days' FROM tokens");
    assert!(lifetime);
}

#[actix_web::test]
async fn each_mistake_is_named_and_the_choices_stay() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    for (fields, code) in [
        (vec![("name", ""), ("expires", "30d"), ("users_read", "1")], "empty"),
        (vec![("name", "SIEM"), ("expires", "30d")], "no-scope"),
        (vec![("name", "SIEM"), ("expires", "400d"), ("me", "1")], "unknown-lifetime"),
        (vec![("name", "SIEM"), ("expires", "30d"), ("opens", "wiki")], "no-such-app"),
        (vec![("name", "SIEM"), ("expires", "30d"), ("opens", "wiki"), ("me", "1")], "app-not-alone"),
        (vec![("name", "SIEM"), ("expires", "30d"), ("opens", "No App")], "unknown-scope"),
    ] {
        browser.fill_in(PAGE, &fields).await.is(422).is_refused(code);
    }
    let fields = [("name", ""), ("expires", "90d"), ("audit_read", "1")];
    let again = browser.fill_in(PAGE, &fields).await;
    assert_eq!(again.attributes("fieldset input[checked]", "name"), ["audit_read"]);
    assert_eq!(again.attribute("#expires option[selected]", "value").as_deref(), Some("90d"));
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM tokens"), 0);
}

#[actix_web::test]
async fn a_member_is_offered_the_scopes_of_members_and_the_apps_that_accept_tokens() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    for (slug, tokens) in [("wiki", true), ("shop", false)] {
        let mut with = crate::apps::support::app(slug);
        with.rules[0].tokens = tokens;
        crate::apps::support::add(&app.accounts, &with).await;
    }
    let mut member = app.logged_in(&ada).await;
    let page = member.get(PAGE).await;
    assert_eq!(page.attributes("fieldset input", "name"), ["me"]);
    assert_eq!(page.attributes("#opens option", "value"), ["api", "wiki"]);
    let offered = app.logged_in(&grace).await.get(PAGE).await.attributes("fieldset input", "name");
    assert_eq!(offered, latchkey::tokens::ApiScope::ALL.map(|scope| scope.as_str().replace(':', "_")));
    let forged = [("name", "Off-boarding"), ("expires", "30d"), ("users_write", "1")];
    member.fill_in(PAGE, &forged).await.is(422).is_refused("role-too-low");
    // The answer does not say whether there is an app that is not offered.
    for slug in ["shop", "none"] {
        let fields = [("name", "Phone"), ("expires", "30d"), ("opens", slug)];
        let refused = member.fill_in(PAGE, &fields).await;
        refused.is(422).is_refused("no-such-app").says(&format!("No app with the short name {slug} accepts"));
    }
    let text = create_token(&mut member, "Phone", &[("opens", "wiki")]).await;
    assert!(app.accepts(&text).await);
    member.get(PAGE).await.says("app:wiki");
}

#[actix_web::test]
async fn an_old_confirmation_is_renewed_first_and_what_was_typed_stays() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get(PAGE).await.is(200);
    app.age_confirmations();
    browser
        .post(PAGE, &[("name", "Backup"), ("expires", "7d"), ("me", "1")])
        .await
        .is(403)
        .is_page("confirm");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM tokens"), 0);
    browser.get(PAGE).await.redirects_to(&format!("/confirm?next={PAGE}"));
    app.browser().get(PAGE).await.redirects_to(&format!("/login?next={PAGE}"));
}

#[actix_web::test]
async fn a_token_of_another_user_and_an_unknown_one_are_404() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let foreign = app.token(&grace, &["users:read"]).await;
    let mut browser = app.logged_in(&ada).await;
    browser.get(PAGE).await.does_not_say(&foreign.record.name);
    for id in [foreign.record.id.to_string(), uuid::Uuid::new_v4().to_string(), "x".to_owned()] {
        browser.post(&format!("{PAGE}/{id}/revoke"), &[]).await.is(404);
        browser.post(&format!("/admin/tokens/{id}/revoke"), &[]).await.is(403);
    }
    assert!(app.accepts(foreign.text.reveal()).await);
}

#[actix_web::test]
async fn an_administrator_sees_the_tokens_of_a_user_and_revokes_one() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let created = app.token(&ada, &["me"]).await;
    let mut admin = app.logged_in(&grace).await;
    let page = format!("/admin/users/{}", ada.id);
    admin.get(&page).await.says(&created.record.name).has_notice("by-operator");
    let path = format!("/admin/tokens/{}/revoke", created.record.id);
    admin.post(&path, &[]).await.redirects_to(&page);
    assert_eq!(admin.get(&page).await.has_flash("token-revoked").count("li[data-token]"), 0);
    assert!(!app.accepts(created.text.reveal()).await);
    admin.post(&path, &[]).await.is(404);
}

#[actix_web::test]
async fn a_scope_of_administrators_needs_a_confirmation_as_recent_as_their_pages() {
    let app = TestApp::spawn_with(|settings| {
        settings.sessions.admin_window = latchkey::config::Span::minutes(2);
    });
    let grace = app.grace().await;
    let mut browser = app.logged_in(&grace).await;
    app.db.execute("UPDATE sessions SET confirmed_at = now() - interval '5 minutes'");
    app.accounts.sessions().wait_until_invalidated().await;
    let fields = [("name", "Off-boarding"), ("expires", "7d"), ("users_write", "1")];
    browser.fill_in(PAGE, &fields).await.redirects_to(&format!("/confirm?next={PAGE}"));
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM tokens"), 0);
    create_token(&mut browser, "Phone", &[("me", "1")]).await;
}
