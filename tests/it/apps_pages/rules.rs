//! The rules of an app: adding, moving and removing them.

use latchkey::config::{RegistrationMode, UpstreamsFrom};

use super::support::{add_rule, add_wiki, administrator, app, rules, send};
use crate::support::app::TestApp;

#[actix_web::test]
async fn a_rule_says_which_requests_it_is_about_and_who_gets_in() {
    let app = app();
    let ada = app.ada().await;
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    admin.fill_in("/admin/groups", &[("name", "staff")]).await.is(303);
    add_rule(
        &mut admin,
        &[
            ("path_kind", "below"),
            ("path", "/admin"),
            ("methods", "get, post"),
            ("networks", "10.0.0.0/8 2001:db8::1"),
            ("access", "listed"),
            ("groups", "staff"),
            ("users", ada.email),
            ("admins", "1"),
            ("factor", "two"),
            ("fresh", "600"),
            ("note", "For <b>the team</b>"),
        ],
    )
    .await
    .redirects_to("/admin/apps/wiki");
    let page = admin.get("/admin/apps/wiki").await;
    page.has_flash("rule-added").says("For <b>the team</b>");
    assert_eq!(
        rules(&mut admin).await,
        [
            "1. /admin and below, only GET and POST, from 10.0.0.0/8 or 2001:db8::1/128: Members of staff, \
             ada@example.org and administrators, with a second factor or a passkey, who confirmed in the last \
             10 minutes",
            "2. Every path: Every user",
        ]
    );
    add_rule(
        &mut admin,
        &[("path_kind", "exact"), ("path", "/robots.txt"), ("access", "open"), ("place", "2")],
    )
    .await
    .is(303);
    add_rule(&mut admin, &[("path", "/dav"), ("access", "signed-in"), ("tokens", "1"), ("place", "3")])
        .await
        .is(303);
    let found = rules(&mut admin).await;
    assert_eq!(found[2], "3. Only /robots.txt and /robots.txt/: Everyone, without logging in");
    assert_eq!(found[3], "4. /dav and below: Every user, also with an access token");
    // The rule above it matches every request.
    admin.get("/admin/apps/wiki").await.has_notice("unreachable");
    assert_eq!(app.events("app.changed"), 3);
}

#[actix_web::test]
async fn each_field_of_a_rule_is_refused_with_its_reason_and_what_was_typed() {
    let app = app();
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    for (fields, reason) in [
        (&[("access", "listed")][..], "no-access"),
        (&[("access", "signed-in"), ("path", "admin")], "ambiguous-path"),
        (&[("access", "signed-in"), ("path", "/a/../b")], "ambiguous-path"),
        (&[("access", "signed-in"), ("path", "/%61dmin")], "ambiguous-path"),
        (&[("access", "signed-in"), ("methods", "G€T")], "invalid-method"),
        (&[("access", "signed-in"), ("networks", "10.0.0.1/8")], "invalid-network"),
        (&[("access", "listed"), ("groups", "Staff")], "invalid-group-name"),
        (&[("access", "listed"), ("groups", "staff")], "unknown-group"),
        (&[("access", "listed"), ("users", "nobody@example.org")], "unknown-user"),
        (&[("access", "open"), ("factor", "two")], "open-with-proof"),
        (&[("access", "open"), ("tokens", "1")], "open-with-proof"),
        (&[("access", "everyone")], "unknown-choice"),
        (&[("access", "signed-in"), ("fresh", "7")], "unknown-choice"),
        (&[("access", "signed-in"), ("note", &"n".repeat(500))], "note-too-long"),
    ] {
        let refused = add_rule(&mut admin, fields).await;
        refused.is(422).is_page("admin/apps/slug").is_refused(reason);
        assert_eq!(refused.count("details[open] #path"), 1, "{reason}: the form is open");
        for (name, value) in fields.iter().filter(|(name, _)| !["access", "factor", "fresh"].contains(name)) {
            assert_eq!(refused.attribute(&format!("#{name}"), "value").as_deref(), Some(*value));
        }
    }
    assert_eq!(rules(&mut admin).await.len(), 1);
}

#[actix_web::test]
async fn rules_move_up_and_down_and_are_removed() {
    let app = app();
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    for path in ["/b", "/a"] {
        add_rule(&mut admin, &[("path", path), ("access", "open")]).await.is(303);
    }
    let order = |found: Vec<String>| -> Vec<String> {
        found.iter().map(|rule| rule.split([' ', ':']).nth(1).unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(order(rules(&mut admin).await), ["/a", "/b", "Every"]);
    for (number, to, after) in [
        (2, "down", ["/a", "Every", "/b"]),
        (3, "up", ["/a", "/b", "Every"]),
        (2, "up", ["/b", "/a", "Every"]),
    ] {
        let moved = send(&mut admin, &format!("/admin/apps/wiki/rules/{number}"), &[("to", to)]).await;
        moved.redirects_to("/admin/apps/wiki");
        assert_eq!(order(rules(&mut admin).await), after);
    }
    for (number, to) in [(1, "up"), (3, "down"), (0, "remove"), (4, "remove"), (1, "left")] {
        send(&mut admin, &format!("/admin/apps/wiki/rules/{number}"), &[("to", to)]).await.is(404);
    }
    send(&mut admin, "/admin/apps/wiki/rules/2", &[("to", "remove")]).await.is(303);
    admin.get("/admin/apps/wiki").await.has_flash("rule-removed");
    assert_eq!(order(rules(&mut admin).await), ["/b", "Every"]);
}

#[actix_web::test]
async fn a_form_from_an_outdated_page_changes_no_rule() {
    let app = app();
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    let old = admin.get("/admin/apps/wiki").await.attribute("input[name=seen]", "value").unwrap();
    add_rule(&mut admin, &[("path", "/a"), ("access", "open")]).await.is(303);
    let seen = ("seen", old.as_str());
    for (action, fields) in [
        ("rules/1", vec![("to", "remove"), seen]),
        ("presets", vec![seen]),
        ("rules", vec![("access", "open"), ("path", "/b"), seen]),
    ] {
        let refused = admin.post(&format!("/admin/apps/wiki/{action}"), &fields).await;
        refused.is(422).is_page("admin/apps/slug");
        let told = refused.flash().or_else(|| refused.refusals().pop());
        assert_eq!(told.as_deref(), Some("changed"), "{action}");
    }
    assert_eq!(rules(&mut admin).await.len(), 2);
}

#[actix_web::test]
async fn the_preset_opens_manifest_icons_and_robots_once() {
    let app = app();
    let mut admin = administrator(&app).await;
    add_wiki(&mut admin).await;
    send(&mut admin, "/admin/apps/wiki/presets", &[]).await.is(303);
    admin.get("/admin/apps/wiki").await.has_flash("preset-added");
    let found = rules(&mut admin).await;
    assert_eq!(found.len(), 8);
    assert_eq!(found[0], "1. Only /robots.txt and /robots.txt/, only GET: Everyone, without logging in");
    assert_eq!(found[6], "7. /icons and below, only GET: Everyone, without logging in");
    send(&mut admin, "/admin/apps/wiki/presets", &[]).await.is(303);
    assert_eq!(rules(&mut admin).await, found);
}

#[actix_web::test]
async fn where_anyone_can_register_a_rule_for_every_user_is_pointed_out() {
    for (mode, warned) in [(RegistrationMode::Open, true), (RegistrationMode::Invite, false)] {
        let app = TestApp::spawn_with(|settings| {
            settings.apps.upstreams_from = UpstreamsFrom::Admin;
            settings.registration = mode;
        });
        let mut admin = administrator(&app).await;
        add_wiki(&mut admin).await;
        let page = admin.get("/admin/apps/wiki").await;
        assert_eq!(page.codes("data-notice").iter().any(|code| code == "open-to-everyone"), warned);
    }
}
