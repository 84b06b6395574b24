//! Listing, renaming and removing passkeys.

use uuid::Uuid;

use super::{inside, passkey_of};
use crate::support::app::TestApp;
use crate::support::subjects;

#[actix_web::test]
async fn a_passkey_gets_another_name() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    passkey_of(&app, &ada).await;
    let id: String = app.db.scalar("SELECT id::text FROM passkeys");
    let page = browser.get("/account/security").await;
    assert_eq!(page.attribute("input[name=name]", "value").as_deref(), Some("Unknown device"));
    let path = format!("/account/passkeys/{id}/rename");
    browser.post(&path, &[("name", "  Ada's <phone> ")]).await.redirects_to("/account/security");
    let page = browser.get("/account/security").await;
    page.has_flash("passkey-renamed").says("Ada's <phone>");
    browser.get("/account/activity").await.has_event("passkey-renamed").says("Ada's <phone>");
    for (bad, why) in [("", "empty"), ("\u{202e}x", "unprintable"), (&"x".repeat(81), "too-long")] {
        let page = browser.post(&path, &[("name", bad)]).await;
        page.is(422).is_refused(why).is_page("account/security");
        assert_eq!(page.count("details[open]"), 1);
        assert_eq!(page.attribute("input[aria-invalid]", "id"), Some(format!("name-{id}")));
    }
    assert_eq!(app.db.scalar::<String>("SELECT name FROM passkeys"), "Ada's <phone>");
    assert_eq!(app.events("passkey-renamed"), 1);
}

#[actix_web::test]
async fn removing_takes_the_passkey_and_leaves_the_sessions() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let mut device = passkey_of(&app, &ada).await;
    let mut opened = inside(&app, &mut device).await;
    let id: String = app.db.scalar("SELECT id::text FROM passkeys");
    browser.get("/account/security").await.is(200);
    browser.post(&format!("/account/passkeys/{id}/remove"), &[]).await.redirects_to("/account/security");
    let page = browser.get("/account/security").await;
    page.has_flash("passkey-removed");
    assert_eq!(page.count(".session"), 0);
    assert!(opened.is_in().await);
    assert_eq!(app.events("passkey-removed"), 1);
    let letter = app.letter(ada.email, subjects::FACTOR_REMOVED).await;
    assert!(letter.text.contains("A passkey was removed"), "{}", letter.text);
    browser.post(&format!("/account/passkeys/{id}/remove"), &[]).await.is(404);
}

#[actix_web::test]
async fn a_user_cannot_change_the_passkeys_of_another() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    passkey_of(&app, &ada).await;
    let id: String = app.db.scalar("SELECT id::text FROM passkeys");
    let mut browser = app.logged_in(&grace).await;
    browser.get("/account/security").await.is(200).does_not_say("Unknown device");
    let before = app.dump();
    for id in [id, Uuid::new_v4().to_string(), "x".into()] {
        for (act, name) in [("rename", "Mine"), ("rename", "")] {
            browser.post(&format!("/account/passkeys/{id}/{act}"), &[("name", name)]).await.is(404);
        }
        browser.post(&format!("/account/passkeys/{id}/remove"), &[]).await.is(404);
    }
    assert_eq!(app.dump(), before);
}

#[actix_web::test]
async fn passkeys_go_with_their_person() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    passkey_of(&app, &ada).await;
    app.db.execute("DELETE FROM users");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM passkeys"), 0);
}
