//! The stopwatch and the cost on `/compare`, measured by the real server.

use std::time::Duration;

use crate::support::app::TestApp;
use crate::support::browser::Answer;
use crate::support::db::TestDb;
use crate::support::process::{Latchkey, eventually};

/// What measurements left behind: runs, sessions, tokens, and instances besides the application's own.
fn left_over(db: &TestDb) -> [i64; 4] {
    [
        "SELECT count(*) FROM lab_runs",
        "SELECT count(*) FROM sessions WHERE kind = 'lab'",
        "SELECT count(*) FROM lab_tokens",
        "SELECT count(*) - 1 FROM listeners",
    ]
    .map(|query| db.scalar(query))
}

/// The width of each bar in percent, in the order of the page.
fn shares(page: &Answer, section: &str) -> Vec<f64> {
    page.attributes(&format!("{section} rect"), "width")
        .iter()
        .map(|width| width.trim_end_matches('%').parse().unwrap())
        .collect()
}

#[actix_web::test]
async fn the_stopwatch_shows_that_no_revoked_session_is_accepted_and_a_token_for_minutes() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    let before = browser.get("/compare").await;
    assert_eq!(before.is(200).count("[data-rounds]"), 0);
    assert_eq!(before.count("svg.lanes"), 0);

    browser.post("/compare/stopwatch", &[]).await.redirects_to("/compare#stopwatch");
    assert_eq!(left_over(&app.db), [0; 4]);

    let page = app.browser().get("/compare").await;
    // As many rounds as there was time for.
    let rounds: u32 = page.attribute("#stopwatch", "data-rounds").expect("a result").parse().unwrap();
    assert!(rounds > 0);
    assert_eq!(page.text("#served-after").as_deref(), Some("0"));
    let shares = shares(&page, "#stopwatch");
    let [here, there, answered, denied, token] = shares[..] else { panic!("{shares:?}") };
    // On this axis 14.4 % are a factor of ten: a session is revoked hundreds of times as fast.
    for session in [here, there, answered, denied] {
        assert!(token - session > 2.5 * 14.4, "{shares:?}");
    }
    assert!(page.attribute("#stopwatch svg", "aria-label").unwrap().contains("5 minutes"));
    assert_eq!(page.count("#stopwatch tbody tr"), 5);
}

#[actix_web::test]
async fn the_cost_is_shown_for_six_checks_and_four_operations() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    browser.get("/compare").await.is(200);
    browser.post("/compare/cost", &[]).await.redirects_to("/compare#cost");
    assert_eq!(left_over(&app.db), [0; 4]);
    let page = browser.get("/compare").await;
    page.is(200);
    let shares = shares(&page, "#cost");
    assert_eq!(shares.len(), 6 + 3);
    assert!(shares[0] < shares[1], "memory is faster than the database: {shares:?}");
    assert!(shares[6] < shares[7], "a key is shorter than a token: {shares:?}");
    assert_eq!(page.count("#cost tbody tr"), 6 + 4);
}

#[actix_web::test]
async fn a_request_during_a_measurement_starts_no_other() {
    let app = TestApp::spawn();
    let (mut one, mut two) = (app.browser(), app.browser());
    for browser in [&mut one, &mut two] {
        browser.get("/compare").await.is(200);
    }
    let second = async {
        eventually("a measurement", async || (left_over(&app.db)[0] == 1).then_some(())).await;
        let answer = two.post("/compare/cost", &[]).await;
        assert_eq!(answer.is(429).count("#cost[data-busy]"), 1);
        assert!(answer.header("retry-after").is_some());
        assert!(left_over(&app.db)[0] <= 1);
    };
    let (first, ()) = futures_util::future::join(one.post("/compare/stopwatch", &[]), second).await;
    first.redirects_to("/compare#stopwatch");

    let shown = app.browser().get("/compare").await.text("#stopwatch");
    // Within a minute the result is not measured again.
    let begun = std::time::Instant::now();
    two.post("/compare/stopwatch", &[]).await.redirects_to("/compare#stopwatch");
    assert!(begun.elapsed() < Duration::from_millis(300), "{:?}", begun.elapsed());
    assert_eq!(app.browser().get("/compare").await.text("#stopwatch"), shown);
}

#[actix_web::test]
async fn a_measurement_without_a_database_fails_and_leaves_no_instance_behind() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    browser.get("/compare").await.is(200);
    app.db.cut_off();
    for path in ["/compare/stopwatch", "/compare/cost"] {
        browser.post(path, &[]).await.is(503);
    }
    app.db.restore();
    // The application's own listener is back, and no other.
    eventually("one listener", async || (left_over(&app.db)[3] == 0).then_some(())).await;
    assert_eq!(left_over(&app.db), [0; 4]);
    // A failed measurement is not repeated at once.
    browser.post("/compare/cost", &[]).await.is(429);
    eventually("another try", async || {
        let answer = browser.post("/compare/cost", &[]).await;
        (answer.status == 303).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn the_command_prints_the_cost_as_json_and_as_a_table() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let ran = latchkey.run(&["prove", "cost", "--json"]);
    let [line] = ran.well()[..] else { panic!("{}", ran.out) };
    let cost: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(cost["checks"].as_array().unwrap().len(), 6);
    for check in cost["checks"].as_array().unwrap() {
        assert!(check["microseconds"].as_f64().unwrap() > 0.0, "{check}");
    }
    let rows =
        |operation: usize, side: &str, kind: &str| cost["deeds"][operation][side][kind].as_i64().unwrap();
    assert_eq!(rows(0, "session", "inserted"), 1);
    assert_eq!(rows(0, "token", "inserted"), 1, "the id of the refresh token");
    assert_eq!(rows(0, "token_with_deny_list", "inserted"), 2, "the ids of both tokens");
    assert_eq!((rows(1, "session", "inserted"), rows(1, "session", "updated")), (0, 0));
    assert_eq!(rows(2, "token", "inserted") + rows(2, "token", "updated"), 2);
    assert!(cost["deeds"][2]["session"].is_null(), "a session needs no refresh");
    assert_eq!(rows(3, "session", "updated"), 1);
    assert_eq!(rows(3, "token_with_deny_list", "updated"), 2);
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM lab_runs"), 0);
    assert!(latchkey.run(&["prove", "cost"]).well().iter().any(|line| line.starts_with("Medians of ")));
}
