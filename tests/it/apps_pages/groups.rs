//! Groups: creating and deleting them, and their members.

use super::support::{add_rule, add_wiki, administrator, app, rules, send};

#[actix_web::test]
async fn groups_are_created_described_and_deleted() {
    let app = app();
    let mut admin = administrator(&app).await;
    admin.get("/admin/groups").await.is(200).is_page("admin/groups").has_notice("empty");
    let fields = [("name", "staff"), ("note", "Everyone <here>")];
    admin.fill_in("/admin/groups", &fields).await.redirects_to("/admin/groups/staff");
    let page = admin.get("/admin/groups/staff").await;
    page.is(200).is_page("admin/groups/name").has_flash("group-created").has_notice("no-members");
    assert_eq!(page.attribute("#note", "value").as_deref(), Some("Everyone <here>"));
    admin
        .post("/admin/groups/staff/note", &[("note", "All of us")])
        .await
        .redirects_to("/admin/groups/staff");
    admin.get("/admin/groups").await.says("All of us").has_no_notice("empty");
    admin.post("/admin/groups/staff/remove", &[]).await.redirects_to("/admin/groups");
    admin.get("/admin/groups").await.has_flash("group-deleted").has_notice("empty");
    admin.get("/admin/groups/staff").await.is(404);
    for act in ["group.added", "group.changed", "group.removed"] {
        assert_eq!(app.events(act), 1, "{act}");
    }
}

#[actix_web::test]
async fn a_group_needs_a_free_name_of_plain_characters_and_a_short_note() {
    let app = app();
    let mut admin = administrator(&app).await;
    admin.fill_in("/admin/groups", &[("name", "staff")]).await.is(303);
    for (name, note, reason) in [
        ("", "", "invalid-group-name"),
        ("Staff", "", "invalid-group-name"),
        ("a,b", "", "invalid-group-name"),
        ("staff", "", "taken"),
        ("finance", &*"n".repeat(500), "note-too-long"),
    ] {
        let refused = admin.fill_in("/admin/groups", &[("name", name), ("note", note)]).await;
        refused.is(422).is_page("admin/groups").is_refused(reason);
        assert_eq!(refused.attribute("#name", "value").as_deref(), Some(name));
    }
    for path in ["/admin/groups/Staff", "/admin/groups/finance", "/admin/groups/a%2Cb"] {
        admin.get(path).await.is(404);
    }
}

#[actix_web::test]
async fn users_join_and_leave_on_the_page_of_the_group_and_on_their_own() {
    let app = app();
    let ada = app.ada().await;
    let mut admin = administrator(&app).await;
    for name in ["staff", "finance"] {
        admin.fill_in("/admin/groups", &[("name", name)]).await.is(303);
    }
    let page = "/admin/groups/staff";
    admin.get(page).await;
    admin.post("/admin/groups/staff/join", &[("email", ada.email)]).await.redirects_to(page);
    let shown = admin.get(page).await;
    shown.has_flash("member-added").says("Ada Lovelace").says("Grace Hopper");
    assert_eq!(shown.count("tbody tr"), 1);
    admin.post("/admin/groups/staff/join", &[("email", "ADA@example.org")]).await.is(303);
    admin.get(page).await.has_flash("member-already");
    let refused = admin.post("/admin/groups/staff/join", &[("email", "nobody@example.org")]).await;
    refused.is(422).is_refused("unknown-user");

    let user = format!("/admin/users/{}", ada.id);
    let shown = admin.get(&user).await;
    assert_eq!(shown.codes("data-group"), ["staff"]);
    assert_eq!(shown.attributes("#group option", "value"), ["finance"]);
    admin.post(&format!("{user}/groups"), &[("group", "finance")]).await.redirects_to(&user);
    let shown = admin.get(&user).await;
    assert_eq!(shown.codes("data-group"), ["finance", "staff"]);
    assert_eq!(shown.count("#group"), 0);
    admin.post(&format!("{user}/groups"), &[("group", "nobody")]).await.is(404);

    let id = ada.id.to_string();
    admin.get(&user).await;
    let fields = [("user", id.as_str()), ("from", "user")];
    admin.post("/admin/groups/finance/leave", &fields).await.redirects_to(&user);
    admin.get(&user).await.has_flash("member-removed");
    admin.post("/admin/groups/staff/leave", &[("user", &id)]).await.redirects_to(page);
    admin.get(page).await.has_notice("no-members");
    admin.get(&user).await.has_notice("no-groups");
    assert_eq!((app.events("group.joined"), app.events("group.left")), (2, 2));
}

#[actix_web::test]
async fn a_group_that_a_rule_names_is_not_deleted() {
    let app = app();
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    admin.fill_in("/admin/groups", &[("name", "staff")]).await.is(303);
    add_rule(&mut admin, &[("access", "listed"), ("groups", "staff")]).await.is(303);
    let page = admin.get("/admin/groups/staff").await;
    page.has_notice("group-in-use").says("Rules of wiki name this group");
    assert_eq!(page.count("form[action='/admin/groups/staff/remove']"), 0);
    admin.post("/admin/groups/staff/remove", &[]).await.is(422).has_flash("in-use");
    assert_eq!(rules(&mut admin).await[0], "1. Every path: Members of staff");
    send(&mut admin, "/admin/apps/wiki/rules/1", &[("to", "remove")]).await.is(303);
    admin.get("/admin/groups/staff").await;
    admin.post("/admin/groups/staff/remove", &[]).await.redirects_to("/admin/groups");
}
