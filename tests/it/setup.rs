//! Creating the first administrator.

use futures_util::future::join_all;

use crate::support::app::TestApp;

const GOOD: &str = "gravel tuba otter lemon";

async fn link(app: &TestApp) -> Option<String> {
    let link = app.accounts.registration.setup_link().await.unwrap()?;
    Some(link.strip_prefix(&app.origin).unwrap().to_owned())
}

fn token(link: &str) -> &str {
    link.split_once("token=").unwrap().1
}

#[actix_web::test]
async fn the_link_makes_one_administrator_and_is_then_dead() {
    let app = TestApp::spawn();
    let link = link(&app).await.unwrap();
    let mut browser = app.browser();
    for _ in 0..2 {
        browser.open(&link).await.is(200).is_page("setup");
    }
    let fields =
        [("token", token(&link)), ("name", "Grace"), ("email", "grace@example.org"), ("password", GOOD)];
    browser.post("/setup", &fields).await.redirects_to("/login");
    browser.get("/login").await.has_flash("set-up");
    browser.log_in("grace@example.org", GOOD).await.redirects_to("/home");
    browser.get("/admin").await.is(200);
    let mut late = app.browser();
    late.open(&link).await.is(410).is_refused("dead-link");
    late.get("/login").await.is(200);
    let fields = [("token", token(&link)), ("name", "Eve"), ("email", "eve@example.org"), ("password", GOOD)];
    late.post("/setup", &fields).await.is(422);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users"), 1);
    assert_eq!(self::link(&app).await, None);
}

#[actix_web::test]
async fn without_the_setup_link_no_account_is_created() {
    let app = TestApp::spawn();
    link(&app).await.unwrap();
    let mut browser = app.browser();
    for made_up in ["", "x", &"A".repeat(43)] {
        browser.open(&format!("/setup?token={made_up}")).await.is(410);
        browser.get("/login").await.is(200);
        let fields = [("token", made_up), ("name", "Eve"), ("email", "eve@example.org"), ("password", GOOD)];
        browser.post("/setup", &fields).await.is(422).is_refused("dead-link");
    }
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users"), 0);
}

#[actix_web::test]
async fn a_refused_form_keeps_the_link_alive() {
    let app = TestApp::spawn();
    let link = link(&app).await.unwrap();
    let mut browser = app.browser();
    browser.open(&link).await.is(200);
    let weak = [("token", token(&link)), ("name", ""), ("email", "grace"), ("password", "short")];
    let refused = browser.post("/setup", &weak).await;
    assert_eq!(refused.is(422).refusals(), ["empty", "invalid-email", "too-short"]);
    assert_eq!(refused.attribute("input[name=token]", "value").as_deref(), Some(token(&link)));
    let good =
        [("token", token(&link)), ("name", "Grace"), ("email", "grace@example.org"), ("password", GOOD)];
    browser.post("/setup", &good).await.redirects_to("/login");
}

#[actix_web::test]
async fn an_address_that_is_registered_is_not_made_admin() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let link = link(&app).await.unwrap();
    let mut browser = app.browser();
    browser.open(&link).await.is(200);
    let fields = [("token", token(&link)), ("name", "Ada"), ("email", ada.email), ("password", GOOD)];
    browser.post("/setup", &fields).await.is(422).is_refused("taken");
    assert!(app.db.scalar::<bool>("SELECT role = 'member' FROM users"));
    browser.open(&link).await.is(200);
}

#[actix_web::test]
async fn of_many_posts_at_once_with_several_links_one_makes_the_administrator() {
    let app = TestApp::spawn();
    let links = [link(&app).await.unwrap(), link(&app).await.unwrap()];
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    let posts = (0..16).map(|n| {
        let (mut browser, link) = (browser.copy(), links[n % 2].clone());
        async move {
            let email = format!("p{n}@example.org");
            let fields = [("token", token(&link)), ("name", "P"), ("email", &email), ("password", GOOD)];
            browser.post("/setup", &fields).await.status
        }
    });
    let statuses = join_all(posts).await;
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [303, 422].contains(status)), "{statuses:?}");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users"), 1);
}
