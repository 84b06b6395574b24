//! Tests the reference of the API at `/api`.

use latchkey::web::copy::problem_codes::PROBLEM_CODES;
use latchkey::web::routes;

use crate::support::app::TestApp;

#[actix_web::test]
async fn the_page_shows_every_operation_and_has_no_script() {
    let app = TestApp::spawn();
    let page = app.browser().get("/api").await;
    page.is(200).is_page("api");
    assert_eq!(page.count("script"), 0);
    for row in routes::api_table() {
        page.says(row.operation.expect("an operation").title).says(&format!(
            "{} {}",
            row.method.as_str(),
            row.path
        ));
    }
    for (code, text) in PROBLEM_CODES {
        assert_eq!(page.count(&format!("[id='{code}']")), 1, "{code}");
        page.says(text);
    }
    assert!(PROBLEM_CODES.is_sorted() && PROBLEM_CODES.windows(2).all(|pair| pair[0].0 != pair[1].0));
    page.says("curl").says("users:write").says("If-Match");
    // Links within the page have targets.
    for href in page.attributes("main a[href^='#']", "href") {
        assert_eq!(page.count(&format!("[id='{}']", &href[1..])), 1, "{href}");
    }
}
