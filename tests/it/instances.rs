//! Two instances over one database, as during a rollout or while the secret changes.

use latchkey::secret::Secret;

use crate::support::app::TestApp;

const NEW: &str = "the-new-secret-zyxwvutsrqponmlkjihgfedcba";

#[actix_web::test]
async fn a_revocation_on_one_instance_holds_on_the_other_at_once() {
    let here = TestApp::spawn();
    let ada = here.ada().await;
    let there = here.beside(|_| {});
    let mut owner = here.logged_in(&ada).await;
    let mut thief = owner.copy_at(&there.origin);
    thief.get("/home").await.is(200);
    owner.get("/account/sessions").await;
    let handle = here.db.scalar::<String>("SELECT handle::text FROM sessions");
    owner.post(&format!("/account/sessions/{handle}/revoke"), &[]).await.redirects_to("/login");
    thief.get("/home").await.redirects_to("/login");
}

#[actix_web::test]
async fn rotating_the_secret_logs_no_user_out_and_signs_their_cookies_anew() {
    let old = TestApp::spawn();
    let ada = old.ada().await;
    let before = old.logged_in(&ada).await;
    let new = old.beside(|settings| {
        let previous = settings.secret.clone();
        settings.secret = Secret::parse(NEW).unwrap().with_previous(Some(previous));
    });
    let mut browser = before.copy_at(&new.origin);
    browser.get("/home").await.is(200).says("Ada Lovelace");
    assert_ne!(browser.cookies["latchkey"], before.cookies["latchkey"]);
    // The form was opened before the change.
    browser.token.clone_from(&before.token);
    browser.get("/account").await;
    browser.post("/account/profile", &[("name", "Ada King")]).await.redirects_to("/account");

    // Without the previous secret, newly signed cookies stay valid and older ones open no session.
    let later = old.beside(|settings| settings.secret = Secret::parse(NEW).unwrap());
    browser.copy_at(&later.origin).get("/home").await.is(200);
    before.copy_at(&later.origin).get("/home").await.redirects_to("/login");
}

#[actix_web::test]
async fn a_cookie_of_an_unknown_secret_is_anonymous_and_no_error() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let browser = app.logged_in(&ada).await;
    let stranger = app.beside(|settings| settings.secret = Secret::parse(NEW).unwrap());
    browser.copy_at(&stranger.origin).get("/home").await.redirects_to("/login");
    browser.copy_at(&stranger.origin).get("/login").await.is(200);
}
