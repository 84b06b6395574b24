//! Changing the name of one's own account.

use crate::support::app::TestApp;

#[actix_web::test]
async fn a_new_name_shows_at_once_in_every_browser() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let mut other = app.logged_in(&ada).await;
    let page = browser.get("/account").await;
    assert_eq!(page.is(200).attribute("#name", "value").as_deref(), Some("Ada Lovelace"));
    page.says("ada@example.org");
    browser.post("/account/profile", &[("name", "  Ada King  ")]).await.redirects_to("/account");
    browser.get("/account").await.has_flash("name-changed").says("Ada King");
    other.get("/home").await.says("Ada King");
    assert_eq!(app.db.scalar::<String>("SELECT name FROM users"), "Ada King");
    assert_eq!(app.events("name-changed"), 1);
}

#[actix_web::test]
async fn names_that_are_none_are_refused_and_kept_for_correction() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    let long = "x".repeat(81);
    for (name, why) in [
        ("", "empty"),
        ("   ", "empty"),
        (long.as_str(), "too-long"),
        ("Ada\u{202e}nimda", "unprintable"),
        ("Ada\u{200b}", "unprintable"),
        ("Ada\tLovelace", "unprintable"),
        ("Ada\r\nBcc: eve@example.org", "unprintable"),
        ("\u{feff}", "unprintable"),
    ] {
        let refused = browser.fill_in("/account", &[]).await;
        refused.is(405);
        let refused = browser.post("/account/profile", &[("name", name)]).await;
        refused.is(422).is_refused(why);
        assert_eq!(refused.attribute("form.card", "action").as_deref(), Some("/account/profile"));
    }
    assert_eq!(app.db.scalar::<String>("SELECT name FROM users"), "Ada Lovelace");
    for fine in ["x".repeat(80), "李".into(), "O'Hara <b>&amp;\" \\ %s".into(), "Zoë 💡".into()] {
        browser.get("/account").await;
        browser.post("/account/profile", &[("name", &fine)]).await.redirects_to("/account");
        let page = browser.get("/account").await;
        assert_eq!(page.attribute("#name", "value"), Some(fine.clone()));
        assert_eq!(page.count("main b"), 0);
        assert_eq!(app.db.scalar::<String>("SELECT name FROM users"), fine);
    }
}

#[actix_web::test]
async fn nothing_but_the_name_can_be_set() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    browser.get("/account").await;
    let rest = || app.db.scalar::<String>("SELECT id || password_hash FROM users");
    let before = rest();
    for (field, value) in [("role", "admin"), ("email", "eve@example.org"), ("id", "x"), ("password", "x")] {
        browser.post("/account/profile", &[("name", "Ada"), (field, value)]).await.redirects_to("/account");
        let row: String = app.db.scalar("SELECT name || email || role FROM users");
        assert_eq!(row, "Adaada@example.orgmember", "{field}");
    }
    assert_eq!(rest(), before);
}
