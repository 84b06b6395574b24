//! The steps of a run: after each, both checks are made with the credentials of the browser and of its copy.

use super::{
    SESSION, comparison, comparisons, comparisons_on, expect, reasons, role_at, roles, start_run, step,
    step_with,
};
use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};

fn refresh_refused(reason: &str) -> (String, Option<String>) {
    ("refresh-refused".to_owned(), Some(reason.to_owned()))
}

#[actix_web::test]
async fn a_run_is_accepted_on_both_sides_and_by_nothing_else() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    assert_eq!(roles(&mut browser).await, expect("", ""));
    let mut browser = start_run(&app).await;
    assert_eq!(roles(&mut browser).await, expect("member", "member"));
    assert_eq!(comparisons(&mut browser).await, [comparison("browser", "shop", true, true)]);
    assert!(!browser.is_in().await);
    // Not even in the cookie in which the product expects its own key.
    let key = browser.cookies["latchkey-lab-session"].clone();
    browser.cookies.insert("latchkey".into(), key.replace('=', "%3D").replace('+', "%2B"));
    assert!(!browser.is_in().await);
    let listed = latchkey_sessions::Scope::All;
    let sessions = app.accounts.sessions().clone();
    let counted = app.accounts.db().read(move |conn| sessions.count(conn, listed)).await.unwrap();
    assert_eq!(counted, 0, "the product counts a session of the lab");
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM sessions WHERE kind = 'lab'"), 1);
}

#[actix_web::test]
async fn a_changed_role_is_effective_at_once_for_a_session_and_after_a_refresh_for_a_token() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    step(&mut browser, "role").await;
    assert_eq!(roles(&mut browser).await, expect("admin", "member"));
    step(&mut browser, "refresh").await;
    assert_eq!(roles(&mut browser).await, expect("admin", "admin"));
    step(&mut browser, "role").await;
    assert_eq!(roles(&mut browser).await, expect("member", "admin"));
}

#[actix_web::test]
async fn a_disabled_user_is_refused_at_once_by_the_session_and_by_the_token_when_it_expires() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    step(&mut browser, "disable").await;
    assert_eq!(roles(&mut browser).await, expect("", "member"));
    step_with(&mut browser, "wait", "6-minutes").await;
    assert_eq!(roles(&mut browser).await, expect("", ""));
    assert_eq!(step(&mut browser, "refresh").await, refresh_refused("subject-disabled"));
    step(&mut browser, "log-in").await;
    assert_eq!(roles(&mut browser).await, expect("", ""));
    step(&mut browser, "disable").await;
    step(&mut browser, "log-in").await;
    assert_eq!(roles(&mut browser).await, expect("member", "member"));
}

#[actix_web::test]
async fn a_log_out_ends_a_copied_session_and_not_a_copied_token() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    let mut thief = browser.copy();
    step(&mut browser, "copy").await;
    assert_eq!(roles(&mut thief).await, expect("member", "member"));
    step(&mut browser, "log-out").await;
    assert_eq!(roles(&mut browser).await, expect("", ""));
    assert_eq!(roles(&mut thief).await, expect("", "member"));
    let page = browser.get("/compare").await;
    let expected = [comparison("browser", "shop", false, false), comparison("thief", "shop", false, true)];
    assert_eq!(comparisons_on(&page), expected);
    let expected = ["session-missing", "token-missing", "session-revoked", "token-valid"];
    assert_eq!(reasons(&page), expected);
    // The log-out denied the refresh token.
    assert_eq!(step(&mut browser, "copy-refresh").await, refresh_refused("denied"));
}

#[actix_web::test]
async fn logging_out_everywhere_reaches_access_tokens_only_with_a_deny_list() {
    let app = TestApp::spawn();
    for (list, token) in [("none", "member"), ("memory", ""), ("database", "")] {
        let mut browser = start_run(&app).await;
        step_with(&mut browser, "deny-list", list).await;
        let mut thief = browser.copy();
        step(&mut browser, "log-out-everywhere").await;
        assert_eq!(roles(&mut thief).await, expect("", token), "{list}");
        // A restart loses the list in memory.
        step(&mut browser, "restart").await;
        let after = if list == "database" { "" } else { "member" };
        assert_eq!(roles(&mut thief).await, expect("", after), "{list} after a restart");
    }
}

#[actix_web::test]
async fn a_restart_ends_neither_side() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    step(&mut browser, "restart").await;
    assert_eq!(roles(&mut browser).await, expect("member", "member"));
    // Another instance, which has seen neither before, accepts both.
    let other = app.beside(|_| {});
    assert_eq!(roles(&mut browser.copy_at(&other.origin)).await, expect("member", "member"));
}

#[actix_web::test]
async fn the_second_use_of_a_refresh_token_denies_its_family_and_a_copied_key_is_not_detected() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    step_with(&mut browser, "deny-list", "database").await;
    step(&mut browser, "copy").await;
    step(&mut browser, "copy-refresh").await;
    assert_eq!(roles(&mut browser).await, expect("member", "member"));
    // The owner is second, and both lose access.
    assert_eq!(step(&mut browser, "refresh").await, refresh_refused("reused"));
    let expected = [comparison("browser", "shop", true, false), comparison("thief", "shop", true, false)];
    assert_eq!(comparisons(&mut browser).await, expected);
}

#[actix_web::test]
async fn each_side_expires_by_its_own_clock() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    step_with(&mut browser, "wait", "6-minutes").await;
    assert_eq!(roles(&mut browser).await, expect("member", ""));
    step(&mut browser, "refresh").await;
    assert_eq!(roles(&mut browser).await, expect("member", "member"));
    step_with(&mut browser, "wait", "25-hours").await;
    assert_eq!(roles(&mut browser).await, expect("", ""));
    // The refresh token is valid for a week, whether or not it is used.
    step(&mut browser, "refresh").await;
    assert_eq!(roles(&mut browser).await, expect("", "member"));
    step_with(&mut browser, "wait", "8-days").await;
    step(&mut browser, "refresh").await;
    assert_eq!(roles(&mut browser).await, expect("", ""));
}

#[actix_web::test]
async fn dropping_the_old_signing_key_ends_every_token_and_no_session() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    step_with(&mut browser, "signing-key", "keep").await;
    assert_eq!(roles(&mut browser).await, expect("member", "member"));
    step_with(&mut browser, "signing-key", "drop").await;
    assert_eq!(roles(&mut browser).await, expect("member", ""));
    step(&mut browser, "refresh").await;
    assert_eq!(roles(&mut browser).await, expect("member", ""));
    step(&mut browser, "log-in").await;
    assert_eq!(roles(&mut browser).await, expect("member", "member"));
}

#[actix_web::test]
async fn a_second_service_accepts_the_session_and_only_tokens_that_name_it() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    let (session, token) = ("/compare/session?service=desk", "/compare/jwt?service=desk");
    step(&mut browser, "split").await;
    assert_eq!(role_at(&mut browser, session).await.as_deref(), Some("member"));
    assert_eq!(role_at(&mut browser, token).await, None, "the desk accepted a token for the shop");
    step(&mut browser, "refresh").await;
    assert_eq!(role_at(&mut browser, token).await.as_deref(), Some("member"));
    // The desk does not see the deny-list in the shop's memory.
    step_with(&mut browser, "deny-list", "memory").await;
    let mut thief = browser.copy();
    step(&mut browser, "log-out").await;
    assert_eq!(roles(&mut thief).await, expect("", ""));
    assert_eq!(role_at(&mut thief, session).await, None);
    assert_eq!(role_at(&mut thief, token).await.as_deref(), Some("member"));
    browser.get("/compare/jwt?service=nowhere").await.is(404);
}

#[actix_web::test]
async fn a_thief_at_the_desk_signs_tokens_with_a_shared_secret_and_not_with_a_public_key() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    step(&mut browser, "split").await;
    assert_eq!(step(&mut browser, "forge").await.0, "forged");
    assert_eq!(comparisons(&mut browser).await[2], comparison("thief", "shop", false, false));
    step(&mut browser, "algorithm").await;
    step(&mut browser, "forge").await;
    let page = browser.get("/compare").await;
    assert_eq!(comparisons_on(&page)[2], comparison("thief", "shop", false, true));
    assert!(page.text("tr[data-holder=thief]").unwrap().contains("as admin"));
}

#[actix_web::test]
async fn of_concurrent_refreshes_with_one_token_one_succeeds() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    browser.get("/compare").await.is(200);
    let mut tabs: Vec<Browser> = (0..8).map(|_| browser.copy()).collect();
    let refreshed = tabs.iter_mut().map(|tab| tab.post("/compare/refresh", &[]));
    for answer in futures_util::future::join_all(refreshed).await {
        answer.is(303);
    }
    let renewed = tabs
        .iter()
        .filter(|tab| tab.cookies["latchkey-lab-refresh"] != browser.cookies["latchkey-lab-refresh"])
        .count();
    assert_eq!(renewed, 1);
    // The token was used twice, so the new pair is denied as well.
    assert_eq!(
        app.db.scalar::<i64>("SELECT count(*) FROM lab_tokens WHERE kind = 'refresh' AND denied_at IS NULL"),
        0
    );
}

#[actix_web::test]
async fn a_run_ends_after_half_an_hour_and_its_rows_are_deleted() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    step(&mut browser, "log-out").await;
    step(&mut browser, "log-in").await;
    app.db.execute(
        "UPDATE lab_runs SET created_at = created_at - interval '31 minutes', expires_at = expires_at - interval '31 minutes'",
    );
    assert_eq!(roles(&mut browser).await, expect("", ""));
    assert_eq!(browser.get("/compare").await.count("form[action='/compare/start']"), 1);
    browser.post("/compare/role", &[]).await.redirects_to("/compare");
    assert_eq!(browser.get("/compare").await.count(".flash.is-warn"), 1);
    // The next run deletes the expired ones.
    start_run(&app).await;
    let left = |table: &str| app.db.scalar::<i64>(&format!("SELECT count(*) FROM {table}"));
    assert_eq!((left("lab_runs"), left("lab_tokens"), left("sessions")), (1, 2, 1));
}

#[actix_web::test]
async fn ending_a_run_revokes_its_credentials_at_once() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    let mut thief = browser.copy();
    browser.get("/compare").await.is(200);
    browser.post("/compare/end", &[]).await.redirects_to("/compare");
    assert!(!browser.cookies.keys().any(|name| name.contains("lab")), "{:?}", browser.cookies);
    assert_eq!(roles(&mut thief).await, expect("", ""));
    let left = |table: &str| app.db.scalar::<i64>(&format!("SELECT count(*) FROM {table}"));
    // The run counts towards the limits for half an hour, so its row stays.
    assert_eq!((left("lab_runs"), left("lab_tokens"), left("sessions")), (1, 0, 0));
}

#[actix_web::test]
async fn runs_are_limited_by_network_and_steps_by_run() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    app.db.execute("UPDATE lab_runs SET step_count = 300");
    browser.get("/compare").await.is(200);
    browser.post("/compare/role", &[]).await.redirects_to("/compare");
    assert_eq!(role_at(&mut browser, SESSION).await.as_deref(), Some("member"));
    app.db.execute(
        "INSERT INTO lab_runs (key_hash, address, expires_at) \
         SELECT sha256(n::text::bytea), r.address, r.expires_at FROM lab_runs r, generate_series(1, 39) n",
    );
    let mut other = app.browser();
    other.get("/compare").await.is(200);
    let limited = other.post("/compare/start", &[]).await;
    assert_eq!(limited.is(429).attribute("[data-limit]", "data-limit").as_deref(), Some("network"));
}

#[actix_web::test]
async fn an_unknown_step_is_not_found_and_a_cross_site_step_is_forbidden() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    browser.get("/compare").await.is(200);
    browser.post("/compare/nothing", &[]).await.is(404);
    browser.post("/compare/wait", &[("value", "forever")]).await.is(404);
    browser.post("/compare/wait", &[("other", "field")]).await.is(404);
    browser.post_bare("/compare/role", &[]).await.is(403);
    assert_eq!(roles(&mut browser).await, expect("member", "member"));
}

#[actix_web::test]
async fn the_credentials_are_cookies_that_scripts_and_other_pages_do_not_get() {
    let app = TestApp::spawn_with(|settings| {
        settings.server.public = latchkey::config::Origin::parse("https://example.org").unwrap();
    });
    let mut browser = app.browser();
    browser.headers.push(("origin", "https://example.org".into()));
    browser.get("/compare").await.is(200);
    let answer = browser.post("/compare/start", &[]).await;
    for name in ["run", "session", "access", "refresh"] {
        let cookie = answer.cookie(&format!("__Secure-latchkey-lab-{name}")).expect("a cookie").to_owned();
        for word in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/compare", "Max-Age=1800"] {
            assert!(cookie.contains(word), "{cookie}");
        }
    }
}

#[actix_web::test]
async fn every_verdict_names_the_line_that_decided() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    step(&mut browser, "copy").await;
    step(&mut browser, "log-out").await;
    let page = browser.get("/compare").await;
    let html = page.html();
    let select = |text: &str| scraper::Selector::parse(text).expect("a selector");
    let mut lines = 0;
    for decided in html.select(&select(".decided")) {
        let code: Vec<String> = decided.select(&select("code")).map(|code| code.text().collect()).collect();
        let (file, number) = code[0].split_once(':').expect("file:line");
        let source = std::fs::read_to_string(file).expect("a source");
        let line = source.lines().nth(number.parse::<usize>().unwrap() - 1).expect("that line");
        assert_eq!(line.trim(), code[1]);
        lines += 1;
    }
    assert_eq!(lines, 4);
}

#[actix_web::test]
async fn every_link_within_the_page_has_a_target_before_a_run_and_during_one() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    let without_target = |page: &Answer| -> Vec<String> {
        let (html, links) = (page.html(), scraper::Selector::parse("main a[href^='#']").expect("a selector"));
        let leads = |link: &str| html.select(&scraper::Selector::parse(link).expect("an id")).count() == 1;
        let links: Vec<String> =
            html.select(&links).filter_map(|link| link.attr("href")).map(str::to_owned).collect();
        assert!(links.len() > 5, "{links:?}");
        links.into_iter().filter(|link| !leads(link)).collect()
    };
    assert_eq!(without_target(&browser.get("/compare").await), [""; 0]);
    browser.fill_in("/compare", &[]).await;
    browser.post("/compare/start", &[]).await.redirects_to("/compare#now");
    assert_eq!(without_target(&browser.get("/compare").await), [""; 0]);
}

#[actix_web::test]
async fn a_deny_list_reaches_users_whose_role_or_state_changed_and_tokens_of_either_algorithm() {
    let app = TestApp::spawn();
    for list in ["memory", "database"] {
        let mut browser = start_run(&app).await;
        step_with(&mut browser, "deny-list", list).await;
        step(&mut browser, "role").await;
        assert_eq!(roles(&mut browser).await, expect("admin", ""), "{list}");
        step(&mut browser, "refresh").await;
        assert_eq!(roles(&mut browser).await, expect("admin", "admin"), "{list}");
        step(&mut browser, "disable").await;
        assert_eq!(roles(&mut browser).await, expect("", ""), "{list}");
    }
    // A log-out while another algorithm is in use denies the old token, too.
    let mut browser = start_run(&app).await;
    step_with(&mut browser, "deny-list", "database").await;
    let mut thief = browser.copy();
    step(&mut browser, "algorithm").await;
    step(&mut browser, "log-out").await;
    step(&mut browser, "algorithm").await;
    assert_eq!(roles(&mut thief).await, expect("", ""));
}

#[actix_web::test]
async fn a_signing_key_that_was_replaced_before_is_dropped_without_a_log_out() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    step_with(&mut browser, "signing-key", "keep").await;
    step(&mut browser, "refresh").await;
    step_with(&mut browser, "signing-key", "drop").await;
    assert_eq!(roles(&mut browser).await, expect("member", "member"));
}

#[actix_web::test]
async fn the_admin_overview_counts_no_session_of_the_lab() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut browser = start_run(&app).await;
    step_with(&mut browser, "wait", "8-days").await;
    let page = app.logged_in(&grace).await.get("/admin").await;
    page.is(200).says("1 opened today");
}

#[actix_web::test]
async fn every_step_reports_its_outcome() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    for (name, value, outcome) in [
        ("ask", "", "asked"),
        ("copy-refresh", "", "no-copy"),
        ("forge", "", "no-second-service"),
        ("role", "", "role-changed"),
        ("disable", "", "disabled"),
        ("log-in", "", "login-refused"),
        ("disable", "", "enabled"),
        ("log-in", "", "logged-in"),
        ("copy", "", "copied"),
        ("copy-refresh", "", "refreshed"),
        ("restart", "", "restarted"),
        ("wait", "6-minutes", "time-passed"),
        ("signing-key", "keep", "key-rotated"),
        ("algorithm", "", "algorithm-changed"),
        ("deny-list", "memory", "deny-list-changed"),
        ("split", "", "service-added"),
        ("forge", "", "forged"),
        ("split", "", "service-removed"),
        ("log-out", "", "logged-out"),
        ("log-out", "", "logged-out-already"),
        ("copy", "", "nothing-to-copy"),
        ("log-out-everywhere", "", "logged-out-everywhere"),
    ] {
        assert_eq!(step_with(&mut browser, name, value).await.0, outcome, "{name} {value}");
    }
}

/// An older version wrote sentences, and runs beside this one while the operator upgrades.
#[actix_web::test]
async fn steps_that_an_older_version_recorded_are_shown_as_text() {
    let app = TestApp::spawn();
    let mut browser = start_run(&app).await;
    app.db.execute(
        r#"UPDATE lab_runs SET steps = '[{"step": "You asked.", "at": 1, "session": "Row read.", "token": ""}]'"#,
    );
    let page = browser.get("/compare").await;
    assert_eq!(page.is(200).text("#now-title").as_deref(), Some("You asked."));
    assert_eq!(page.text(".verdicts td[data-label=Session]").as_deref(), Some("Row read."));
    step(&mut browser, "ask").await;
    // … and this version writes what the older one requires.
    let incomplete: i64 = app.db.scalar(
        "SELECT count(*) FROM lab_runs, jsonb_array_elements(steps) step \
         WHERE NOT step ?& ARRAY['step', 'session', 'token', 'at']",
    );
    assert_eq!(incomplete, 0);
}
