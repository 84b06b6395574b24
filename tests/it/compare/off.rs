//! `LATCHKEY__COMPARE=off`: no routes, no links, no rows, no listeners; every other route as before.

use latchkey::config::Switch;
use latchkey::web::routes::{self, Method, Route};
use uuid::Uuid;

use super::start_run;
use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};
use crate::support::db::TestDb;
use crate::support::process::{Latchkey, eventually};

fn without_compare() -> TestApp {
    TestApp::spawn_with(|settings| settings.compare = Switch::Off)
}

/// The path of a row, with ids that exist nowhere.
fn path_of(row: &Route) -> String {
    let part = |part: &str| if part.starts_with('{') { Uuid::nil().to_string() } else { part.to_owned() };
    row.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

async fn send(browser: &mut Browser, row: &Route) -> Answer {
    match row.method {
        Method::Get => browser.get(&path_of(row)).await,
        _ => browser.post_bare(&path_of(row), &[]).await,
    }
}

/// The status of every row, each requested by a new browser.
async fn statuses(app: TestApp) -> Vec<u16> {
    let mut statuses = Vec::new();
    for row in routes::page_table() {
        statuses.push(send(&mut app.browser(), &row).await.status);
    }
    statuses
}

#[actix_web::test]
async fn exactly_the_routes_of_the_lab_are_missing() {
    let lab: Vec<&str> = routes::compare_table().iter().map(|row| row.path).collect();
    assert!(lab.len() >= 8 && lab.iter().all(|path| path.starts_with("/compare")), "{lab:?}");
    let with = Box::pin(statuses(TestApp::spawn())).await;
    let without = Box::pin(statuses(without_compare())).await;
    for ((row, with), without) in routes::page_table().iter().zip(with).zip(without) {
        if lab.contains(&row.path) {
            assert_ne!(with, 404, "{:?} {} with the lab", row.method, row.path);
            assert_eq!(without, 404, "{:?} {} without the lab", row.method, row.path);
        } else {
            assert_eq!(without, with, "{:?} {}", row.method, row.path);
        }
    }
}

#[actix_web::test]
async fn no_page_links_to_it() {
    let app = without_compare();
    let grace = app.grace().await;
    let mut browsers = [app.browser(), app.logged_in(&grace).await];
    for row in
        routes::page_table().iter().chain(&routes::local_table()).filter(|row| row.method == Method::Get)
    {
        for browser in &mut browsers {
            let page = browser.get(&path_of(row)).await;
            assert_eq!(page.count("[href^='/compare'], [action^='/compare']"), 0, "{}", row.path);
        }
    }
    // The landing page has the link while the lab is on.
    let on = TestApp::spawn();
    assert_eq!(on.browser().get("/").await.count("a[href='/compare']"), 1);
}

#[actix_web::test]
async fn it_writes_no_row_and_starts_no_instance() {
    let app = without_compare();
    let mut browser = app.browser();
    browser.get("/login").await.is(200);
    for action in ["start", "stopwatch", "cost", "ask", "end"] {
        browser.post(&format!("/compare/{action}"), &[]).await.is(404);
    }
    let count = |rows: &str| app.db.scalar::<i64>(&format!("SELECT count(*) FROM {rows}"));
    // The instance registers its listener in the background.
    eventually("the instance as the only listener", async || (count("listeners") == 1).then_some(())).await;
    assert_eq!((count("lab_runs"), count("lab_tokens")), (0, 0));
    // Cookies of the time when it was on change nothing.
    let on = app.beside(|_| {});
    let mut visitor = start_run(&on).await.copy_at(&app.origin);
    visitor.get("/compare").await.is(404);
    visitor.get("/login").await.is(200);
}

#[actix_web::test]
async fn a_start_deletes_the_runs_that_an_earlier_one_left() {
    let db = TestDb::new();
    db.execute(
        "INSERT INTO lab_runs (key_hash, address, expires_at) VALUES (sha256('a run'), '192.0.2.1', now() + interval '1 hour')",
    );
    let left = || db.scalar::<i64>("SELECT count(*) FROM lab_runs");
    let on = Latchkey::on(&db.url()).serve_ready().await;
    on.browser().get("/compare").await.is(200);
    assert_eq!(left(), 1, "the lab is on, and this run is in progress");
    drop(on);
    let off = Latchkey::on(&db.url()).with("LATCHKEY__COMPARE", "off").serve_ready().await;
    eventually("the deletion of that run", async || (left() == 0).then_some(())).await;
    off.browser().get("/compare").await.is(404);
}
