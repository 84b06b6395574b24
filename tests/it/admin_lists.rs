//! Sessions, audit and the overview for administrators.

use uuid::Uuid;

use crate::support::app::TestApp;

#[actix_web::test]
async fn an_administrator_can_search_and_end_all_sessions() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut adas = app.logged_in(&ada).await;
    let handle: String = app.db.scalar("SELECT handle::text FROM sessions");
    let mut admin = app.logged_in(&grace).await;
    let list = admin.get("/admin/sessions").await;
    list.is(200).says("Ada Lovelace").says("Grace Hopper").has_notice("this-session").has_pager("2 1/1");
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
    adas.get("/account/activity").await.has_event("session-revoked").says("by an administrator");
}

#[actix_web::test]
async fn an_expired_session_is_in_no_list() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.logged_in(&ada).await;
    app.db.execute("UPDATE sessions SET expires_at = now()");
    let mut admin = app.logged_in(&grace).await;
    let list = admin.get("/admin/sessions").await;
    list.is(200).has_pager("1 1/1").does_not_say("Ada Lovelace");
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
    list.has_pager("30 1/2");
    assert_eq!(list.attribute("a[rel=next]", "href").as_deref(), Some("/admin/audit?q=name-changed&page=2"));
    // The actor, and the affected account.
    assert_eq!(list.count(&format!(r#"tbody a[href="/admin/users/{id}"]"#)), 50);
}

#[actix_web::test]
async fn the_overview_counts_people_sessions_log_ins_and_refusals() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.logged_in(&ada).await;
    app.browser().log_in(ada.email, "not-the-password-at-all").await;
    let mut admin = app.logged_in(&grace).await;
    let page = admin.get("/admin").await;
    page.is(200).is_page("admin");
    let html = page.html();
    let texts = |selector: &str| -> Vec<String> {
        let selector = scraper::Selector::parse(selector).unwrap();
        let text = |part: scraper::ElementRef<'_>| part.text().collect::<String>().trim().to_owned();
        html.select(&selector).map(text).collect()
    };
    assert_eq!(texts(".stats .number"), ["2 now", "2 now", "2 today", "1 today"]);
    // Each number is the last one of its own series, which has fourteen days, a scale, and a table.
    assert_eq!(texts(".stats tbody tr:last-child td"), ["2", "2", "2", "1"]);
    assert_eq!(texts(".stats tbody tr").len(), 4 * 14);
    assert_eq!(texts(".stats .scale span"), ["2", "0", "2", "0", "2", "0", "1", "0"]);
    assert_eq!(texts(".stats caption")[1], "Live sessions at the end of the day");
    assert!(texts(".stats .axis").iter().all(|axis| axis.ends_with("today")));
    assert_eq!(texts(".days tbody tr").len(), 14);
    let today: Vec<String> = texts(".days tbody tr:first-child td");
    assert_eq!(today, ["2", "", "1"]);
    assert!(texts(".days tbody th")[0].ends_with("today"));
}

/// A day is a UTC day in any time zone of the database, and a level counts what existed, not what was added.
#[actix_web::test]
async fn the_overview_says_what_there_was_at_the_end_of_each_day() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    for _ in 0..2 {
        app.logged_in(&ada).await;
    }
    // Two sessions began three days ago; one of them was ended the next day, in the last minute of UTC.
    let day = |ago: i64| format!("((now() AT TIME ZONE 'UTC')::date - {ago})::timestamp AT TIME ZONE 'UTC'");
    app.db.execute(&format!(
        "ALTER DATABASE {} SET timezone = 'Pacific/Auckland'; \
         UPDATE sessions SET created_at = {} + interval '1 hour'; \
         UPDATE sessions SET revoked_at = {} + interval '23 hours 59 minutes' WHERE handle = (SELECT min(handle::text)::uuid FROM sessions); \
         UPDATE users SET created_at = {} + interval '23 hours 59 minutes' WHERE id = '{}'; \
         UPDATE users SET created_at = now() - interval '90 days' WHERE id = '{}'",
        app.db.scalar::<String>("SELECT quote_ident(current_database())"),
        day(3),
        day(2),
        day(5),
        ada.id,
        grace.id,
    ));
    let app = app.beside(|_| {});
    let numbers = app.accounts.admin.daily_figures().await.unwrap();
    let of = |days: &[latchkey::users::DayCount]| days.iter().map(|day| day.value).collect::<Vec<_>>();
    assert_eq!(of(&numbers.live_sessions), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 1]);
    assert_eq!(of(&numbers.opened), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(of(&numbers.people), [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    assert_eq!(of(&numbers.registrations)[8], 1);
}

/// Each page names the actor and the account of an event, as far as its reader may know them.
#[actix_web::test]
async fn activity_names_the_administrator_who_acted() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut firefox = app.browser();
    firefox.headers.push((
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0".into(),
    ));
    firefox.log_in(ada.email, ada.password).await.redirects_to("/home");
    let mut adas = app.logged_in(&ada).await;
    let mut admin = app.logged_in(&grace).await;
    let path = format!("/admin/users/{}", ada.id);
    let page = admin.get(&path).await;
    // Firefox was seen before the other session.
    let ends = page.attributes("form[action$='/revoke']", "action");
    assert_eq!(ends.len(), 2);
    admin.post(&ends[1], &[("user", &ada.id.to_string())]).await.redirects_to(&path);
    assert!(!firefox.is_in().await && adas.is_in().await);
    admin.get(&path).await.has_flash("session-ended");
    admin.post(&format!("{path}/send-reset"), &[]).await.redirects_to(&path);
    admin.post(&format!("{path}/role"), &[("role", "admin")]).await.is(303);
    admin.post(&format!("{path}/role"), &[("role", "member")]).await.is(303);

    let own = adas.get("/account/activity").await;
    own.is(200).has_event("reset-requested").has_event("role-changed").says("by an administrator");
    own.has_event("session-revoked").says("Firefox on Linux");
    own.does_not_say(grace.name);
    let there = admin.get(&path).await;
    let by = format!("by {}", grace.name);
    for action in ["reset-requested", "session-revoked"] {
        let event = there.text(&format!("[data-event={action}]")).unwrap();
        assert!(event.contains(&by), "{event}");
    }
    let trail = admin.get("/admin/audit?q=reset-requested").await;
    let row = trail.html();
    let cell = scraper::Selector::parse("tbody td").unwrap();
    let cells: Vec<String> = row.select(&cell).map(|cell| cell.text().collect()).collect();
    assert_eq!((cells[0].as_str(), cells[1].as_str()), (grace.name, ada.name));
    assert_eq!(trail.attributes("tbody td a", "href"), [format!("/admin/users/{}", grace.id), path.clone()]);
    // The event is also found by its actor.
    admin.get("/admin/audit?q=grace").await.has_event("reset-requested").has_event("role-changed");
    // Without the field the answer leads to the list, and an address of another site is ignored.
    for odd in ["", "https://evil.example", "//evil.example", "x"] {
        app.logged_in(&ada).await;
        let page = admin.get("/admin/sessions?q=ada").await;
        let end = page.attributes("form[action$='/revoke']", "action")[0].clone();
        admin.post(&end, &[("user", odd)]).await.redirects_to("/admin/sessions");
        app.wait_out_throttles();
    }
}

#[actix_web::test]
async fn an_ended_session_is_told_with_its_device_and_the_one_it_was_ended_from() {
    let app = TestApp::spawn();
    let ada = app.ada().await;
    let mut browsers = Vec::new();
    for user_agent in [
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
    ] {
        let mut browser = app.browser();
        browser.headers.push(("user-agent", user_agent.into()));
        browser.log_in(ada.email, ada.password).await.redirects_to("/home");
        browsers.push(browser);
    }
    let [_, chrome] = &mut browsers[..] else { panic!() };
    let page = chrome.get("/account/sessions").await;
    let ends = page.attributes("form[action$='/revoke']", "action");
    chrome.post(ends.last().unwrap(), &[]).await.redirects_to("/account/sessions");
    let activity = chrome.get("/account/activity").await;
    activity.has_event("session-revoked").says("Firefox on Linux").says("Chrome on Windows");
    let detail: String = app.db.scalar("SELECT detail FROM audit_events WHERE act = 'session-revoked'");
    let by: String = app.db.scalar("SELECT handle::text FROM sessions WHERE revoked_at IS NULL");
    assert!(detail.contains(&by), "{detail} {by}");
    let ended = "SELECT count(*) FROM audit_events JOIN sessions ON handle = session WHERE act = 'session-revoked' AND revoked_at IS NOT NULL";
    assert_eq!(app.db.scalar::<i64>(ended), 1);
    // As versions wrote it that recorded no detail.
    app.db.execute(&format!(
        "INSERT INTO audit_events (act, actor, subject, user_agent) VALUES ('session-revoked', '{0}', '{0}', 'Difference Engine')",
        ada.id
    ));
    chrome.get("/account/activity").await.has_event("session-revoked").says("unknown device");
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
