//! Every page in Chromium: axe-core reports no violation of WCAG 2.2 A and AA or its best practices, in light and in dark
//! mode, and the page does not scroll sideways on a desktop, on a phone, or at 400 % zoom (WCAG 2.2, 1.4.10).

use std::fs;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::compare;
use super::second_factor;
use super::tour::{self, House, Who};
use crate::support::app::TestApp;
use crate::support::chrome::{Chrome, DESKTOP, PHONE, Screen, ZOOMED};
use crate::support::files::root;

static AXE: LazyLock<String> = LazyLock::new(|| {
    let file = root().join("tests/browser/node_modules/axe-core/axe.min.js");
    fs::read_to_string(&file).expect("axe-core is missing: run bin/test, which installs it")
});

const EVERY_RULE: [&str; 7] =
    ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "wcag22a", "best-practice"];

#[actix_web::test]
async fn what_a_visitor_sees_is_accessible_and_fits() {
    walk(Who::Visitor).await;
}

#[actix_web::test]
async fn what_a_member_sees_is_accessible_and_fits() {
    walk(Who::Ada).await;
}

#[actix_web::test]
async fn what_an_administrator_sees_is_accessible_and_fits() {
    walk(Who::Grace).await;
}

#[actix_web::test]
async fn second_factors_are_accessible_and_fit() {
    let app = TestApp::spawn();
    let chrome = Chrome::open(&app.origin).await;
    second_factor::walk(&app, &chrome, async |page| look(&chrome, page).await).await;
}

#[actix_web::test]
async fn live_connections_are_accessible_and_fit() {
    let app = TestApp::spawn();
    let chrome = Chrome::open(&app.origin).await;
    compare::live(&chrome, async |page| look(&chrome, page).await).await;
    chrome.press("Show what the server recorded").await;
    chrome.waits_for("tr[data-side=session]").await;
    look(&chrome, "recorded connections").await;
}

#[actix_web::test]
async fn an_empty_house_is_accessible_and_fits() {
    let (app, pages) = tour::empty().await;
    let chrome = Chrome::open(&app.origin).await;
    for page in &pages {
        chrome.go(page).await;
        look(&chrome, page).await;
    }
    chrome.go(&pages[0]).await;
    chrome.submit("/setup", &[("email", "grace@")]).await;
    chrome.waits_for(".errors").await;
    look(&chrome, "setup, refused").await;
    let grace = app.grace().await;
    chrome.log_in(grace.email, grace.password).await;
    for page in ["/home", "/admin", "/admin/invitations", "/admin/groups", "/admin/apps"] {
        chrome.go(page).await;
        look(&chrome, page).await;
    }
}

/// Shows that the checks can fail.
#[actix_web::test]
async fn axe_finds_planted_errors() {
    let app = TestApp::spawn();
    let chrome = Chrome::open(&app.origin).await;
    chrome.go("/login").await;
    chrome
        .run(
            "document.querySelector('label').remove(); document.querySelector('h1').style.color = '#ccc'",
            vec![],
        )
        .await;
    let found = complaints(&chrome, &EVERY_RULE).await;
    let rules: Vec<&str> = found.iter().filter_map(|one| one["rule"].as_str()).collect();
    assert_eq!(rules, ["color-contrast", "label"]);
}

async fn walk(who: Who) {
    let house = House::furnish().await;
    let chrome = Chrome::open(&house.app.origin).await;
    house.walk(who, &chrome, async |page| look(&chrome, page).await).await;
}

async fn look(chrome: &Chrome, page: &str) {
    for screen in [PHONE, ZOOMED, DESKTOP] {
        fits(chrome, screen, page).await;
    }
    chrome.set_dark(false).await;
    assert_eq!(complaints(chrome, &EVERY_RULE).await, [json!(null); 0], "{page}");
    chrome.set_dark(true).await;
    // Only colours change.
    assert_eq!(complaints(chrome, &["cat.color"]).await, [json!(null); 0], "{page}, dark");
}

async fn fits(chrome: &Chrome, screen: Screen, page: &str) {
    chrome.resize(screen).await;
    let script = "
        const root = document.documentElement;
        const out = [...document.body.querySelectorAll('*')]
            .filter(part => part.getBoundingClientRect().right > root.clientWidth + 0.5 && !part.closest('.unseen'))
            .map(part => part.outerHTML.slice(0, 120));
        return [innerWidth, root.scrollWidth <= root.clientWidth ? 'fits' : out];";
    let width = screen.width;
    assert_eq!(chrome.run(script, vec![]).await, json!([width, "fits"]), "{page} at {width} px");
}

async fn complaints(chrome: &Chrome, tags: &[&str]) -> Vec<Value> {
    // Scripts of WebDriver run in the page, but not under its content security policy. The script has half a megabyte,
    // so it is loaded once per page.
    if chrome.run("return typeof axe", vec![]).await == "undefined" {
        chrome.run(&AXE, vec![]).await;
    }
    let script = "
        const [tags, done] = arguments;
        // Colours fade in after a change of scheme.
        document.getAnimations().forEach(animation => animation.finish());
        axe.run(document, {runOnly: tags}).then(
            found => done([
                ...found.violations,
                ...found.incomplete.filter(rule => rule.id === 'color-contrast'),
            ].map(rule => ({rule: rule.id, help: rule.help, at: rule.nodes.map(node => [node.html, node.failureSummary, node.any.map(check => check.message)])}))),
            error => done([String(error)]),
        );";
    match chrome.run_async(script, vec![json!(tags)]).await {
        Value::Array(found) => found,
        other => vec![other],
    }
}
