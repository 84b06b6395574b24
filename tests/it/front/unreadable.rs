//! An app with a value that this version does not know, stored by a newer version or by hand.

use latchkey::apps::{Access, AppOrigin, AppRefusal, Rule};
use latchkey::db::Refusable as _;
use latchkey::identity::Client;

use crate::front::support::{User, navigation, register, wiki};
use crate::support::app::TestApp;
use crate::support::browser::Browser;
use crate::support::process::eventually;
use crate::support::upstream::{OK, Upstream};

#[actix_web::test]
async fn an_app_that_cannot_be_read_is_refused_and_the_others_are_served() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let ada = app.ada().await;
    let mut user = User::inside(&app, &wiki, &ada).await;
    for (number, (change, column)) in [
        ("UPDATE app_rules SET networks = '{moon}'", "app_rules.networks"),
        ("UPDATE app_rules SET access = 'listed', groups = '{Not A Name}'", "app_rules.groups"),
        ("UPDATE app_rules SET path_kind = 'below', path = '/a//b'", "app_rules.path"),
        ("UPDATE apps SET also_from = '{moon}'", "apps.also_from"),
        ("UPDATE apps SET header_names = '{A B,C,D,E}'", "apps.header_names"),
        ("UPDATE app_origins SET origin = 'https://' || host || ':99999'", "app_origins.origin"),
    ]
    .into_iter()
    .enumerate()
    {
        let slug = format!("open{number}");
        let open = register(&app, &slug, Upstream::answering(OK), |app| {
            app.rules = vec![Rule::everywhere(Access::Open)];
        })
        .await;
        let mut visitor = Browser::new(&open.origin);
        visitor.headers = navigation();
        visitor.get("/").await.is(200);
        let key = if change.contains("UPDATE apps ") { "id" } else { "app" };
        app.db.execute(&format!("{change} WHERE {key} = (SELECT id FROM apps WHERE slug = '{slug}')"));
        eventually(change, async || (visitor.get("/").await.status == 403).then_some(())).await;
        open.upstream.forget();
        for path in ["/", "/.latchkey/in?to=%2F", "/healthz"] {
            visitor.get(path).await.is(403).is_error("front.misconfigured");
        }
        assert!(open.upstream.received().is_empty(), "{change}");
        user.at_app.get("/").await.is(200);
        let stored = app.accounts.apps.stored().await.unwrap();
        let unreadable = stored.unreadable.iter().find(|app| app.slug == slug).expect("the app");
        assert_eq!((unreadable.column, unreadable.hosts.len()), (column, 1));
    }
    user.portal.get("/home").await.is(200).says("wiki").does_not_say("open0");
    user.portal.get("/account/sessions").await.is(200);
}

#[actix_web::test]
async fn an_app_that_cannot_be_read_is_listed_keeps_its_names_and_can_be_removed() {
    let app = TestApp::spawn();
    let broken = register(&app, "broken", Upstream::answering(OK), |_| {}).await;
    let other = register(&app, "other", Upstream::answering(OK), |_| {}).await;
    app.db.execute("UPDATE apps SET also_from = '{moon}' WHERE slug = 'broken'");
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    let listed = admin.get("/admin/apps").await;
    listed
        .is(200)
        .has_notice("unreadable")
        .has_state("unreadable")
        .says("apps.also_from")
        .says(&broken.origin);
    admin.get("/admin/apps/broken").await.is(404);

    let apps = &app.accounts.apps;
    let before = apps.find("other").await.unwrap().expect("the other app");
    let mut after = before.clone();
    after.origins.push(AppOrigin::parse(&broken.origin).unwrap());
    let changed = apps.change(None, before, after, Client::operator()).await.split().unwrap();
    assert!(matches!(changed, Err(AppRefusal::OriginTaken(_))), "{changed:?}");
    let mut again = apps.find("other").await.unwrap().expect("the other app");
    again.slug = latchkey::apps::Slug::parse("broken").unwrap();
    again.origins = vec![AppOrigin::parse("https://new.example.org").unwrap()];
    let added = apps.add(None, again, Client::operator()).await.split().unwrap();
    assert_eq!(added, Err(AppRefusal::SlugTaken));

    let id = apps.stored().await.unwrap().unreadable.first().expect("the broken app").id;
    let by_page = apps.remove(Some(latchkey::identity::UserId(grace.id)), id, Client::operator()).await;
    assert!(matches!(by_page.split().unwrap(), Err(AppRefusal::Unreadable { .. })));
    apps.remove(None, id, Client::operator()).await.unwrap();
    assert_eq!(app.events("app.removed"), 1);
    Browser::new(&broken.origin).get("/").await.is(421);
    admin.get("/admin/apps").await.has_no_notice("unreadable").says(&other.origin);
}

/// Otherwise the portal, with its log-in form, would answer under the name of the app.
#[actix_web::test]
async fn an_app_that_cannot_be_read_keeps_its_host_even_if_there_is_no_other_app() {
    let app = TestApp::spawn();
    let broken = register(&app, "broken", Upstream::answering(OK), |_| {}).await;
    app.db.execute("UPDATE apps SET also_from = '{moon}'");
    let mut visitor = Browser::new(&broken.origin);
    eventually("it is read", async || (visitor.get("/login").await.status == 403).then_some(())).await;
    visitor.get("/login").await.is_error("front.misconfigured");
}
