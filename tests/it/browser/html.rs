//! html-validate reports no error in any page, error page or email.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tour::{self, House, Who};
use crate::support::app::TestApp;
use crate::support::browser::Answer;

#[actix_web::test]
async fn every_page_and_every_mail_is_valid_html() {
    let mut pages = Vec::new();
    let house = House::furnish().await;
    for who in [Who::Visitor, Who::Ada, Who::Grace] {
        pages.extend(house.fetch(who).await.into_iter().map(|(page, answer)| (page, answer.body)));
    }
    for letter in house.letters().await {
        pages.push((letter.subject, letter.html));
    }
    pages.extend(errors(&house.app).await.into_iter().map(|answer| (answer.status.to_string(), answer.body)));
    pages.extend(second_factors(&house.app).await);
    let (app, paths) = tour::empty().await;
    for path in paths {
        let body = app.browser().open(&path).await.body;
        pages.push((path, body));
    }
    validate(&pages);
}

/// The pages that are reached only with a second factor.
async fn second_factors(app: &TestApp) -> Vec<(String, String)> {
    let mary = app.mary().await;
    let mut browser = app.logged_in(&mary).await;
    app.enrol(&mut browser).await;
    let mut pages = Vec::new();
    for path in ["/account/security", "/confirm"] {
        pages.push((path.to_owned(), browser.get(path).await.expecting(200).body));
    }
    pages.push((
        "recovery codes".into(),
        browser.post("/account/recovery-codes", &[]).await.expecting(200).body,
    ));
    let mut waiting = app.pending(&mary).await;
    pages.push(("second factor".into(), waiting.get("/login/second-factor").await.expecting(200).body));
    let refused = waiting.post("/login/second-factor", &[("code", "0")]).await.expecting(422);
    pages.push(("second factor, refused".into(), refused.body));
    pages
}

/// One response of each kind that no page links to.
async fn errors(app: &TestApp) -> Vec<Answer> {
    let mut browser = app.browser();
    let much = "x".repeat(70_000);
    vec![
        browser.post_bare("/login", &[("email", "a"), ("email", "b")]).await.expecting(400),
        browser.post_bare("/login", &[]).await.expecting(403),
        browser.post_bare("/", &[]).await.expecting(405),
        browser.post_bare("/login", &[("email", &much)]).await.expecting(413),
        browser.send(browser.request(reqwest::Method::POST, "/login").body("{}")).await.expecting(415),
    ]
}

trait Expecting {
    fn expecting(self, status: u16) -> Self;
}

impl Expecting for Answer {
    fn expecting(self, status: u16) -> Self {
        self.is(status);
        self
    }
}

/// All files at once, because starting node takes longer than validating a page.
fn validate(pages: &[(String, String)]) {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let program = tools.join("node_modules/html-validate/bin/html-validate.mjs");
    assert!(program.exists(), "html-validate is missing: run bin/test, which installs it");
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("html-{}", uuid::Uuid::new_v4()));
    fs::create_dir_all(&dir).expect("a directory");
    for (number, (name, html)) in pages.iter().enumerate() {
        assert!(html.contains("<!DOCTYPE html>"), "{name} is no page: {html}");
        let name: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).take(60).collect();
        fs::write(dir.join(format!("{number}{name}.html")), html).expect("a file");
    }
    let output = Command::new("node")
        .arg(program)
        .args(["--max-warnings", "0", "--formatter", "stylish", "--config"])
        .arg(tools.join("htmlvalidate.json"))
        .arg(&dir)
        .output()
        .expect("node is missing: run bin/test, which installs it");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let _ = fs::remove_dir_all(dir);
}
