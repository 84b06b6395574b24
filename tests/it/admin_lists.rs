//! Sessions, audit and the overview for administrators.

use uuid::Uuid;

use crate::support::app::TestApp;

#[actix_web::test]
async fn everybodys_sessions_can_be_found_and_ended() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut adas = app.logged_in(&ada).await;
    let handle: String = app.db.scalar("SELECT handle::text FROM sessions");
    let mut admin = app.logged_in(&grace).await;
    let list = admin.get("/admin/sessions").await;
    list.is(200).says("Ada Lovelace").says("Grace Hopper").says("This session").says("2 sessions");
    assert_eq!(admin.get("/admin/sessions?q=lovelace").await.count("tbody tr"), 1);
    for (q, found) in [("%25", 0), ("_", 0), ("%27", 0), ("example.org", 2), ("nobody", 0)] {
        assert_eq!(
            admin.get(&format!("/admin/sessions?q={q}")).await.is(200).count("tbody tr"),
            found,
            "{q}"
        );
    }
    let path = format!("/admin/sessions/{handle}/revoke");
    admin.post(&path, &[]).await.redirects_to("/admin/sessions");
    assert!(!adas.is_in().await);
    admin.post(&path, &[]).await.is(404);
    for odd in [Uuid::new_v4().to_string(), "x".into(), "%27".into()] {
        admin.post(&format!("/admin/sessions/{odd}/revoke"), &[]).await.is(404);
    }
    adas.get("/login").await;
    adas.log_in(ada.email, ada.password).await;
    adas.get("/account/activity").await.says("A session was ended by an administrator");
}

#[actix_web::test]
async fn an_expired_session_is_in_no_list() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.logged_in(&ada).await;
    app.db.execute("UPDATE sessions SET expires_at = now()");
    let mut admin = app.logged_in(&grace).await;
    let list = admin.get("/admin/sessions").await;
    list.is(200).says("1 session").does_not_say("Ada Lovelace");
    let people = admin.get("/admin/users?q=ada").await;
    assert_eq!(people.text("td.num").as_deref(), Some("0"));
}

#[actix_web::test]
async fn the_record_is_searched_by_person_event_and_address() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.logged_in(&ada).await;
    app.browser().log_in(ada.email, "not-the-password-at-all").await;
    app.browser().log_in("nobody@example.org", "not-the-password-at-all").await;
    let mut admin = app.logged_in(&grace).await;
    for (q, found) in [
        ("", 4),
        ("logged-in", 2),
        ("log-in-refused", 2),
        ("lovelace", 2),
        ("ADA@example", 2),
        ("127.0.0.1", 4),
        ("%25", 0),
        ("_", 0),
        ("%27", 0),
        ("nothing of the sort", 0),
    ] {
        let q = q.replace(' ', "+");
        let list = admin.get(&format!("/admin/audit?q={q}")).await;
        assert_eq!(list.is(200).count("tbody tr"), found, "{q}");
    }
    let id = ada.id;
    app.db.execute(&format!(
        "INSERT INTO audit_events (act, actor, subject) SELECT 'name-changed', '{id}', '{id}' FROM generate_series(1, 30)"
    ));
    let list = admin.get("/admin/audit?q=name-changed").await;
    list.says("30 events, page 1 of 2");
    assert_eq!(list.attribute("a[rel=next]", "href").as_deref(), Some("/admin/audit?q=name-changed&page=2"));
    assert_eq!(list.count(&format!(r#"tbody a[href="/admin/users/{id}"]"#)), 25);
}

#[actix_web::test]
async fn the_overview_counts_people_sessions_log_ins_and_refusals() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.logged_in(&ada).await;
    app.browser().log_in(ada.email, "not-the-password-at-all").await;
    let mut admin = app.logged_in(&grace).await;
    let page = admin.get("/admin").await;
    page.is(200).says("People").says("Live sessions").says("Log-ins").says("Refusals");
    let html = page.html();
    let selector = scraper::Selector::parse(".stats .number").unwrap();
    let numbers: Vec<String> = html.select(&selector).map(|number| number.text().collect()).collect();
    assert_eq!(numbers, ["2", "2", "2", "1"]);
}

#[actix_web::test]
async fn an_event_written_by_a_newer_version_breaks_no_page() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    app.db.execute(&format!("INSERT INTO audit_events (act, subject) VALUES ('teleported', '{}')", grace.id));
    let mut admin = app.logged_in(&grace).await;
    for path in
        ["/home", "/account/activity", "/admin", "/admin/audit", &format!("/admin/users/{}", grace.id)]
    {
        admin.get(path).await.is(200);
    }
}
