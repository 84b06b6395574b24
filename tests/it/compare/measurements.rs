//! The stopwatch and the cost of `/compare`, measured for real by the real server.

use std::time::Duration;

use crate::support::app::TestApp;
use crate::support::browser::Answer;
use crate::support::db::TestDb;
use crate::support::process::{Latchkey, eventually};

/// What is left of measurements: runs, sessions, tokens, and instances beside the one of the application.
fn left_over(db: &TestDb) -> [i64; 4] {
    [
        "SELECT count(*) FROM lab_runs",
        "SELECT count(*) FROM sessions WHERE kind = 'lab'",
        "SELECT count(*) FROM lab_tokens",
        "SELECT count(*) - 1 FROM listeners",
    ]
    .map(|query| db.scalar(query))
}

/// How much of the width each bar takes, in the order of the page.
fn shares(page: &Answer, section: &str) -> Vec<f64> {
    page.attributes(&format!("{section} rect"), "width")
        .iter()
        .map(|width| width.trim_end_matches('%').parse().unwrap())
        .collect()
}

#[actix_web::test]
async fn the_stopwatch_shows_that_nothing_is_served_after_a_revocation_and_a_token_for_minutes() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    let before = browser.get("/compare").await;
    before.is(200).says("Nothing was measured since this server started");
    assert_eq!(before.count("svg.lanes"), 0);

    browser.post("/compare/stopwatch", &[]).await.redirects_to("/compare#stopwatch");
    assert_eq!(left_over(&app.db), [0; 4]);

    let page = app.browser().get("/compare").await;
    // As many as there was time for.
    page.is(200).says(" rounds, ");
    assert_eq!(page.text("#served-after").as_deref(), Some("0"));
    let shares = shares(&page, "#stopwatch");
    let [here, there, answered, denied, token] = shares[..] else { panic!("{shares:?}") };
    // On this axis a step of 14.4 is ten times as long: a session is revoked hundreds of times as fast.
    for session in [here, there, answered, denied] {
        assert!(token - session > 2.5 * 14.4, "{shares:?}");
    }
    page.says("5 minutes");
    assert!(page.attribute("#stopwatch svg", "aria-label").unwrap().contains("5 minutes"));
    assert_eq!(page.count("#stopwatch tbody tr"), 5);
}

#[actix_web::test]
async fn the_cost_is_told_for_six_ways_and_counted_in_rows() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    browser.get("/compare").await.is(200);
    browser.post("/compare/cost", &[]).await.redirects_to("/compare#cost");
    assert_eq!(left_over(&app.db), [0; 4]);
    let page = browser.get("/compare").await;
    page.is(200).says("latchkey prove cost");
    let shares = shares(&page, "#cost");
    assert_eq!(shares.len(), 6 + 3);
    assert!(shares[0] < shares[1], "memory is quicker than the database: {shares:?}");
    assert!(shares[6] < shares[7], "a key is shorter than a token: {shares:?}");
    assert_eq!(page.count("#cost tbody tr"), 6 + 4);
}

#[actix_web::test]
async fn whoever_asks_while_it_is_measured_does_not_start_another_measurement() {
    let app = TestApp::spawn();
    let (mut one, mut two) = (app.browser(), app.browser());
    for browser in [&mut one, &mut two] {
        browser.get("/compare").await.is(200);
    }
    let second = async {
        eventually("a measurement", async || (left_over(&app.db)[0] == 1).then_some(())).await;
        let answer = two.post("/compare/cost", &[]).await;
        answer.is(429).says("Something is being measured at the moment");
        assert!(answer.header("retry-after").is_some());
        assert!(left_over(&app.db)[0] <= 1);
    };
    let (first, ()) = futures_util::future::join(one.post("/compare/stopwatch", &[]), second).await;
    first.redirects_to("/compare#stopwatch");

    let shown = app.browser().get("/compare").await.text("#stopwatch");
    // Within a minute nothing is measured anew.
    let begun = std::time::Instant::now();
    two.post("/compare/stopwatch", &[]).await.redirects_to("/compare#stopwatch");
    assert!(begun.elapsed() < Duration::from_millis(300), "{:?}", begun.elapsed());
    assert_eq!(app.browser().get("/compare").await.text("#stopwatch"), shown);
}

#[actix_web::test]
async fn a_database_that_is_down_is_said_and_leaves_nobody_behind() {
    let app = TestApp::spawn();
    let mut browser = app.browser();
    browser.get("/compare").await.is(200);
    app.db.cut_off();
    for path in ["/compare/stopwatch", "/compare/cost"] {
        browser.post(path, &[]).await.is(503);
    }
    app.db.restore();
    // The application's own keeper is back, and no other.
    eventually("one listener", async || (left_over(&app.db)[3] == 0).then_some(())).await;
    assert_eq!(left_over(&app.db), [0; 4]);
    // What failed is not tried again at once.
    browser.post("/compare/cost", &[]).await.is(429);
    eventually("another try", async || {
        let answer = browser.post("/compare/cost", &[]).await;
        (answer.status == 303).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn the_command_prints_the_same_table_as_json() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    let ran = latchkey.run(&["prove", "cost", "--json"]);
    let [line] = ran.well()[..] else { panic!("{}", ran.out) };
    let cost: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(cost["checks"].as_array().unwrap().len(), 6);
    for check in cost["checks"].as_array().unwrap() {
        assert!(check["microseconds"].as_f64().unwrap() > 0.0, "{check}");
    }
    let rows = |deed: usize, side: &str, kind: &str| cost["deeds"][deed][side][kind].as_i64().unwrap();
    assert_eq!(rows(0, "session", "inserted"), 1);
    assert_eq!(rows(0, "token", "inserted"), 1, "the id of the refresh token");
    assert_eq!(rows(0, "token_with_deny_list", "inserted"), 2, "the ids of both tokens");
    assert_eq!((rows(1, "session", "inserted"), rows(1, "session", "updated")), (0, 0));
    assert_eq!(rows(2, "token", "inserted") + rows(2, "token", "updated"), 2);
    assert!(cost["deeds"][2]["session"].is_null(), "a session is not refreshed");
    assert_eq!(rows(3, "session", "updated"), 1);
    assert_eq!(rows(3, "token_with_deny_list", "updated"), 2);
    assert_eq!(db.scalar::<i64>("SELECT count(*) FROM lab_runs"), 0);
    assert!(latchkey.run(&["prove", "cost"]).well().iter().any(|line| line.starts_with("Medians of ")));
}
