//! The list of apps: adding, disabling and removing one.

use super::support::{add_wiki, administrator, app, rules};
use crate::front::support::{User, wiki};
use crate::support::app::TestApp;

#[actix_web::test]
async fn an_administrator_adds_an_app_and_users_get_in_at_once_in_local_mode() {
    let app = app();
    let mut admin = administrator(&app).await;
    admin.get("/admin/apps").await.is(200).is_page("admin/apps").has_notice("empty");
    add_wiki(&mut admin).await;
    let page = admin.get("/admin/apps/wiki").await;
    page.is(200).is_page("admin/apps/slug").has_flash("app-added").has_state("active");
    page.says("http://wiki.localhost:").says("http://127.0.0.1:3000");
    assert_eq!(rules(&mut admin).await, ["1. Every path: Every user"]);
    let list = admin.get("/admin/apps").await;
    list.has_no_notice("empty").says("Every user");
    assert_eq!(list.count("tbody tr"), 1);
    assert_eq!(app.events("app.added"), 1);
    assert_eq!(admin.get("/home").await.codes("data-app"), ["wiki"]);
}

#[actix_web::test]
async fn each_field_of_a_new_app_is_refused_with_its_reason() {
    let app = app();
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    let port = app.origin.rsplit(':').next().unwrap().to_owned();
    let own = format!("http://wiki.localhost:{port}");
    for (fields, reasons) in [
        (
            [("name", " "), ("slug", "Wiki"), ("origin", "wiki"), ("upstream", "wiki")],
            &["empty", "invalid-slug", "invalid-origin", "invalid-upstream"][..],
        ),
        (
            [
                ("name", "W"),
                ("slug", "-"),
                ("origin", "http://wiki.example.org"),
                ("upstream", "http://u:p@wiki"),
            ],
            &["invalid-slug", "not-https", "userinfo"],
        ),
        (
            [("name", "W"), ("slug", "w"), ("origin", "https://10.0.0.1"), ("upstream", "http://wiki/path")],
            &["ip-origin", "upstream-path"],
        ),
        (
            [("name", "W"), ("slug", "wiki"), ("origin", ""), ("upstream", "http://127.0.0.1:3000")],
            &["slug-taken"],
        ),
        (
            [("name", "W"), ("slug", "w"), ("origin", &own), ("upstream", "http://127.0.0.1:3000")],
            &["origin-taken"],
        ),
        ([("name", "W"), ("slug", "w"), ("origin", ""), ("upstream", &own)], &["upstream-is-ours"]),
        ([("name", "W"), ("slug", "w"), ("origin", ""), ("upstream", &app.origin)], &["upstream-is-ours"]),
    ] {
        let refused = admin.fill_in("/admin/apps", &fields).await;
        assert_eq!(refused.is(422).is_page("admin/apps").refusals(), reasons, "{fields:?}");
        assert_eq!(refused.attribute("#upstream", "value").as_deref(), Some(fields[3].1));
    }
    assert_eq!(app.events("app.added"), 1);
}

#[actix_web::test]
async fn where_upstreams_come_from_the_operator_the_pages_offer_and_accept_none() {
    let app = TestApp::spawn();
    let mut admin = administrator(&app).await;
    let page = admin.get("/admin/apps").await;
    page.is(200).has_notice("upstreams-from-file").says("latchkey app add");
    assert_eq!(page.count("form[action='/admin/apps'] input[name=upstream]"), 0);
    let fields = [("name", "Wiki"), ("slug", "wiki"), ("upstream", "http://127.0.0.1:3000")];
    admin.post("/admin/apps", &fields).await.is(422).is_refused("upstream-not-allowed");
    let count: i64 = app.db.scalar("SELECT count(*) FROM apps");
    assert_eq!(count, 0);
}

#[actix_web::test]
async fn a_disabled_app_is_closed_and_a_removed_one_is_gone() {
    let app = app();
    let registered = wiki(&app).await;
    let (ada, mut admin) = (app.ada().await, administrator(&app).await);
    let mut user = User::inside(&app, &registered, &ada).await;
    assert_eq!(user.portal.get("/home").await.codes("data-app"), ["wiki"]);
    admin.get("/admin/apps/wiki").await;
    admin.post("/admin/apps/wiki/disable", &[]).await.redirects_to("/admin/apps/wiki");
    admin.get("/admin/apps/wiki").await.has_flash("app-disabled").has_state("disabled");
    user.at_app.get("/").await.is(403);
    assert!(user.portal.get("/home").await.is(200).codes("data-app").is_empty());
    admin.get("/admin/apps/wiki").await;
    admin.post("/admin/apps/wiki/enable", &[]).await.redirects_to("/admin/apps/wiki");
    admin.get("/admin/apps/wiki").await.has_flash("app-enabled").has_state("active");
    user.enter("/").await.is(200);
    admin.get("/admin/apps/wiki").await;
    admin.post("/admin/apps/wiki/remove", &[]).await.redirects_to("/admin/apps");
    admin.get("/admin/apps").await.has_flash("app-removed").has_notice("empty");
    admin.get("/admin/apps/wiki").await.is(404);
    assert!(user.portal.get("/home").await.is(200).codes("data-app").is_empty());
}

#[actix_web::test]
async fn an_app_from_a_file_is_shown_and_cannot_be_changed() {
    let app = app();
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    let page = admin.get("/admin/apps/wiki").await;
    let seen = page.attribute("input[name=seen]", "value").unwrap();
    app.db.execute("UPDATE apps SET source = 'file'");
    let page = admin.get("/admin/apps/wiki").await;
    page.is(200).has_notice("from-file");
    assert_eq!(page.count("main form"), 0);
    for (verb, fields) in [
        ("disable", &[][..]),
        ("remove", &[]),
        ("rules", &[("access", "open")]),
        ("settings", &[("name", "Mine")]),
        ("presets", &[]),
        ("rules/1", &[("to", "remove")]),
    ] {
        let mut fields = fields.to_vec();
        fields.push(("seen", &seen));
        let refused = admin.post(&format!("/admin/apps/wiki/{verb}"), &fields).await;
        refused.is(422).is_page("admin/apps/slug");
    }
    assert_eq!(rules(&mut admin).await, ["1. Every path: Every user"]);
    admin.get("/admin/apps").await.has_notice("from-file").has_state("active");
}

#[actix_web::test]
async fn apps_that_do_not_exist_have_no_page() {
    let app = app();
    let mut admin = administrator(&app).await;
    for path in ["/admin/apps/wiki", "/admin/apps/Wiki", "/admin/apps/%27", "/admin/apps/wiki/try"] {
        admin.get(path).await.is(404);
    }
    admin.get("/admin").await;
    for verb in ["settings", "rules", "rules/1", "presets", "enable", "disable", "remove"] {
        admin.post(&format!("/admin/apps/wiki/{verb}"), &[]).await.is(404);
    }
}
