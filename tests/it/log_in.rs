//! Logging in and out.

use crate::support::app::TestApp;

#[actix_web::test]
async fn the_right_password_opens_home_and_the_browser_holds_nothing_but_its_key() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/home").await.is(200).says("Ada Lovelace");
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["latchkey"]);
}

#[actix_web::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.browser();
    let wrong = browser.log_in(ada.email, "not-the-password-at-all").await;
    let unknown = browser.log_in("nobody@example.org", "not-the-password-at-all").await;
    assert_eq!(wrong.is(422).body.replace(ada.email, "nobody@example.org"), unknown.is(422).body);
}
