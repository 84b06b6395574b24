//! What users see of apps: those they can open, and where they used them.

use latchkey::apps::{Access, AccessList, Rule};
use latchkey::identity::Role;

use super::support::app;
use crate::front::support::{User, register, wiki};
use crate::support::upstream::{OK, Upstream};

#[actix_web::test]
async fn the_home_page_lists_the_apps_that_let_the_user_in() {
    let app = app();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    assert!(browser.get("/home").await.is(200).codes("data-app").is_empty());
    let registered = wiki(&app).await;
    register(&app, "reports", Upstream::answering(OK), |app| {
        let list = AccessList { role: Some(Role::Admin), ..AccessList::default() };
        app.rules = vec![Rule::everywhere(Access::Listed(list))];
    })
    .await;
    let home = browser.get("/home").await;
    assert_eq!(home.codes("data-app"), ["wiki"]);
    home.has_notice("never-used");
    let mut user = User::inside(&app, &registered, &ada).await;
    user.portal.get("/home").await.is(200).has_no_notice("never-used");
    let grace = app.grace().await;
    let home = app.logged_in(&grace).await.get("/home").await;
    assert_eq!(home.codes("data-app"), ["reports", "wiki"]);
}

#[actix_web::test]
async fn sessions_show_the_apps_they_used_and_leaving_closes_one_of_them() {
    let app = app();
    let (ada, registered) = (app.ada().await, wiki(&app).await);
    let mut phone = User::inside(&app, &registered, &ada).await;
    let phone_handle: String =
        app.db.scalar("SELECT handle::text FROM sessions ORDER BY created_at DESC LIMIT 1");
    let mut laptop = User::inside(&app, &registered, &ada).await;
    let leave = format!("/account/sessions/{phone_handle}/leave");
    let page = laptop.portal.get("/account/sessions").await;
    assert_eq!(page.codes("data-app"), ["wiki", "wiki"]);
    assert_eq!(page.count(&format!("form[action='{leave}']")), 1);
    laptop.portal.post(&leave, &[("app", "wiki")]).await.redirects_to("/account/sessions");
    let page = laptop.portal.get("/account/sessions").await;
    page.has_flash("app-left");
    assert_eq!(page.codes("data-app"), ["wiki"]);
    assert_eq!(page.count("li.session"), 2, "the session goes on");
    phone.at_app.get("/").await.is(302);
    laptop.at_app.get("/").await.is(200);
    assert!(phone.portal.is_in().await);
    assert_eq!(app.events("app.left"), 1);
    laptop.portal.get("/account/sessions").await;
    laptop.portal.post(&leave, &[("app", "wiki")]).await.is(404);
    laptop.portal.post(&leave, &[("app", "nothing")]).await.is(404);
}

#[actix_web::test]
async fn no_one_leaves_an_app_for_another_user() {
    let app = app();
    let (ada, grace, registered) = (app.ada().await, app.grace().await, wiki(&app).await);
    let mut adas = User::inside(&app, &registered, &ada).await;
    let handle: String = app.db.scalar("SELECT handle::text FROM sessions ORDER BY created_at DESC LIMIT 1");
    let mut graces = app.logged_in(&grace).await;
    graces.get("/account/sessions").await;
    graces.post(&format!("/account/sessions/{handle}/leave"), &[("app", "wiki")]).await.is(404);
    adas.at_app.get("/").await.is(200);
}
