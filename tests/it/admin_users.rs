//! Users, as administrators see and change them.

use futures_util::future::join;
use uuid::Uuid;

use crate::support::app::{Person, TestApp};
use crate::support::subjects;

fn page(person: &Person) -> String {
    format!("/admin/users/{}", person.id)
}

fn deed(person: &Person, verb: &str) -> String {
    format!("/admin/users/{}/{verb}", person.id)
}

/// A second administrator, who logs in like Ada.
async fn ada_as_admin(app: &TestApp) -> Person {
    let ada = app.ada().await;
    app.db.execute("UPDATE users SET role = 'admin'");
    ada
}

fn crowd(app: &TestApp, people: u32) {
    app.db.execute(&format!(
        "INSERT INTO users (email, email_key, name) \
         SELECT 'p' || i || '@example.net', 'p' || i || '@example.net', 'Person ' || i FROM generate_series(1, {people}) i"
    ));
}

#[actix_web::test]
async fn members_see_no_admin_page_and_no_link_to_one() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browser = app.logged_in(&ada).await;
    for path in
        ["/admin", "/admin/users", &page(&ada), "/admin/sessions", "/admin/audit", "/admin/invitations"]
    {
        browser.get(path).await.is(403).is_error("forbidden");
    }
    for path in
        ["/home", "/account", "/account/sessions", "/account/activity", "/account/password", "/confirm"]
    {
        browser.get(path).await.is(200).does_not_say("/admin");
    }
    app.age_confirmations();
    browser.get("/admin/users").await.is(403);
}

#[actix_web::test]
async fn people_are_found_by_what_is_literally_in_their_name_or_address() {
    let app = TestApp::spawn();
    let (_, grace) = (app.ada().await, app.grace().await);
    app.db.execute(
        "INSERT INTO users (email, email_key, name) VALUES \
         ('under_score@example.net', 'under_score@example.net', '100% Pure'), \
         ('underxscore@example.net', 'underxscore@example.net', 'O''Hara \"Q\" \\ Back'), \
         ('li@example.net', 'li@example.net', 'Zoë <b>')",
    );
    let mut browser = app.logged_in(&grace).await;
    for (q, found) in [
        ("", 5),
        ("ADA", 1),
        ("example.net", 3),
        ("%", 1),
        ("_", 1),
        ("under_score", 1),
        ("%25", 0),
        ("'", 1),
        ("\"Q\"", 1),
        ("\\", 1),
        ("O'Hara", 1),
        ("' OR '1'='1", 0),
        ("zoë", 1),
        ("<b>", 1),
        ("  ada  ", 1),
        ("nobody at all", 0),
    ] {
        let query: String = url_encoded(q);
        let list = browser.get(&format!("/admin/users?q={query}")).await;
        assert_eq!(list.is(200).count("tbody tr"), found, "{q:?}");
        assert_eq!(list.attribute("input[name=q]", "value").as_deref(), Some(q.trim()), "{q:?}");
        if found == 0 {
            list.has_notice("empty");
        }
    }
}

#[actix_web::test]
async fn pages_of_a_search_keep_the_search() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    crowd(&app, 60);
    let mut browser = app.logged_in(&grace).await;
    let first = browser.get("/admin/users?q=Person%20%26%201").await;
    first.is(200).has_notice("empty");
    let first = browser.get("/admin/users?q=%40example.net").await;
    first.has_pager("60 1/3");
    assert_eq!(first.count("tbody tr"), 25);
    let next = first.attribute("a[rel=next]", "href").unwrap();
    assert_eq!(next, "/admin/users?q=%40example.net&page=2");
    let second = browser.get(&next).await;
    second.has_pager("60 2/3");
    let prev = second.attribute("a[rel=prev]", "href").unwrap();
    assert_eq!(prev, "/admin/users?q=%40example.net&page=1");
    let third = browser.get("/admin/users?q=%40example.net&page=3").await;
    assert_eq!((third.count("tbody tr"), third.count("a[rel=next]")), (10, 0));
    let beyond = browser.get("/admin/users?q=%40example.net&page=9").await;
    beyond.is(200);
    let mut everybody = std::collections::BTreeSet::new();
    for n in 1..=3 {
        let list = browser.get(&format!("/admin/users?page={n}")).await;
        everybody.extend(list.attributes("tbody th a", "href"));
    }
    assert_eq!(everybody.len(), 61);
}

#[actix_web::test]
async fn a_person_has_a_page_with_their_sessions_and_record() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut browser = app.logged_in(&grace).await;
    browser.get(&page(&ada)).await.is(200).has_others(0).has_notice("never");
    app.logged_in(&ada).await;
    let shown = browser.get(&page(&ada)).await;
    shown.is(200).says("Ada Lovelace").says("ada@example.org").has_event("logged-in").says("127.0.0.1");
    assert_eq!(shown.count("li.session"), 1);
    for unknown in [Uuid::new_v4().to_string(), "x".into(), "1".into(), "..".into(), "%27".into()] {
        browser.get(&format!("/admin/users/{unknown}")).await.is(404);
        for (verb, fields) in [
            ("role", &[("role", "admin")][..]),
            ("disable", &[]),
            ("enable", &[]),
            ("revoke-sessions", &[]),
            ("send-reset", &[]),
        ] {
            browser.get("/admin").await;
            browser.post(&format!("/admin/users/{unknown}/{verb}"), fields).await.is(404);
        }
    }
}

#[actix_web::test]
async fn a_change_of_role_counts_from_the_next_request() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut adas = app.logged_in(&ada).await;
    let mut admin = app.logged_in(&grace).await;
    adas.get("/admin").await.is(403);
    admin.get(&page(&ada)).await;
    admin.post(&deed(&ada, "role"), &[("role", "admin")]).await.redirects_to(&page(&ada));
    admin.get(&page(&ada)).await.has_flash("role-changed");
    adas.get("/admin").await.is(200);
    assert_eq!(adas.get("/home").await.count("nav a[href='/admin']"), 1);
    admin.post(&deed(&ada, "role"), &[("role", "member")]).await.redirects_to(&page(&ada));
    adas.get("/admin").await.is(403);
    adas.get("/home").await.is(200).does_not_say("/admin");
    for odd in ["", "root", "Admin", "admin "] {
        admin.get(&page(&ada)).await;
        admin.post(&deed(&ada, "role"), &[("role", odd)]).await.is(422).has_flash("unknown-role");
    }
    assert_eq!(app.events("role-changed"), 2);
}

#[actix_web::test]
async fn disabling_ends_every_session_and_refuses_log_ins_until_enabled_again() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut adas = app.logged_in(&ada).await;
    adas.fill_in("/forgot-password", &[("email", ada.email)]).await.is(303);
    let reset = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    let mut admin = app.logged_in(&grace).await;
    admin.get(&page(&ada)).await.is(200);
    admin.post(&deed(&ada, "disable"), &[]).await.redirects_to(&page(&ada));
    admin.get(&page(&ada)).await.has_flash("disabled").has_state("disabled");
    assert!(!adas.is_in().await);
    app.browser().log_in(ada.email, ada.password).await.is(422);
    app.browser().open(&reset.link()).await.is(410);
    admin.post(&deed(&ada, "send-reset"), &[]).await.is(404);
    admin.post(&deed(&ada, "enable"), &[]).await.redirects_to(&page(&ada));
    assert!(!adas.is_in().await);
    app.browser().log_in(ada.email, ada.password).await.is(303);
    app.browser().open(&reset.link()).await.is(410);
    assert_eq!((app.events("disabled"), app.events("enabled")), (1, 1));
}

#[actix_web::test]
async fn a_log_in_racing_the_disabling_is_refused_or_ended() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut admin = app.logged_in(&grace).await;
    admin.get(&page(&ada)).await.is(200);
    let mut door = app.browser();
    door.get("/login").await.is(200);
    for _ in 0..6 {
        let log_ins = futures_util::future::join_all((0..4).map(|_| {
            let mut browser = door.copy();
            async move {
                browser.post("/login", &[("email", ada.email), ("password", ada.password)]).await;
                browser
            }
        }));
        let disabling = async { admin.post(&deed(&ada, "disable"), &[]).await.is(303).status };
        let (browsers, _) = join(log_ins, disabling).await;
        for mut browser in browsers {
            assert!(!browser.is_in().await);
        }
        assert_eq!(app.live_sessions(&ada), 0);
        admin.post(&deed(&ada, "enable"), &[]).await.is(303);
        app.wait_out_throttles();
    }
}

#[actix_web::test]
async fn ending_every_session_of_a_person_leaves_the_account() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let (mut one, mut two) = (app.logged_in(&ada).await, app.logged_in(&ada).await);
    let mut admin = app.logged_in(&grace).await;
    admin.get(&page(&ada)).await.is(200);
    admin.post(&deed(&ada, "revoke-sessions"), &[]).await.redirects_to(&page(&ada));
    assert!(!one.is_in().await && !two.is_in().await && admin.is_in().await);
    app.logged_in(&ada).await;
    let own = admin.post(&deed(&grace, "revoke-sessions"), &[]).await;
    own.is(303);
    assert!(!admin.is_in().await);
}

#[actix_web::test]
async fn a_reset_link_goes_to_the_person_and_not_to_the_administrator() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut admin = app.logged_in(&grace).await;
    admin.get(&page(&ada)).await.is(200);
    admin.post(&deed(&ada, "send-reset"), &[]).await.redirects_to(&page(&ada));
    let letter = app.letter(ada.email, subjects::RESET_PASSWORD).await;
    admin.get(&page(&ada)).await.has_flash("reset-sent").does_not_say(&letter.token());
    app.browser().open(&letter.link()).await.is(200);
}

#[actix_web::test]
async fn the_last_administrator_cannot_be_demoted_or_disabled() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    let own = admin.get(&page(&grace)).await;
    own.is(200).has_notice("last-admin");
    for (verb, fields) in [("role", &[("role", "member")][..]), ("disable", &[])] {
        admin.post(&deed(&grace, verb), fields).await.is(422).has_flash("last-admin");
    }
    // A disabled administrator does not count as another one.
    let ada = ada_as_admin(&app).await;
    app.db.execute(&format!("UPDATE users SET disabled_at = now() WHERE id = '{}'", ada.id));
    admin.post(&deed(&grace, "role"), &[("role", "member")]).await.is(422);
    admin.post(&deed(&grace, "disable"), &[]).await.is(422);
    admin.get("/admin").await.is(200);
    assert_eq!(app.events("role-changed") + app.events("disabled"), 0);
}

#[actix_web::test]
async fn two_administrators_who_take_each_other_down_at_once_leave_one() {
    let app = TestApp::spawn();
    let ada = ada_as_admin(&app).await;
    let grace = app.grace().await;
    for round in 0..12 {
        let (mut adas, mut graces) = (app.logged_in(&ada).await, app.logged_in(&grace).await);
        adas.get("/admin").await.is(200);
        graces.get("/admin").await.is(200);
        let verbs = [("role", "role"), ("disable", "disable"), ("role", "disable")][round % 3];
        let fields = |verb| if verb == "role" { &[("role", "member")][..] } else { &[] };
        let (one, two) =
            join(async { adas.post(&deed(&grace, verbs.0), fields(verbs.0)).await.status }, async {
                graces.post(&deed(&ada, verbs.1), fields(verbs.1)).await.status
            })
            .await;
        assert!([one, two].iter().all(|status| [303, 403, 422].contains(status)), "{one} {two}");
        let left: i64 =
            app.db.scalar("SELECT count(*) FROM users WHERE role = 'admin' AND disabled_at IS NULL");
        assert_eq!(left, 1, "round {round}");
        app.db.execute("UPDATE users SET role = 'admin', disabled_at = NULL");
    }
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
