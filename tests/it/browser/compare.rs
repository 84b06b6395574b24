//! Every step on `/compare` by its button, and the verdicts on the page afterwards.

use fantoccini::Locator;
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::chrome::{Chrome, PHONE};
use crate::support::process::eventually;

#[actix_web::test]
async fn every_step_works_without_javascript() {
    let app = TestApp::spawn();
    let chrome = Chrome::without_javascript(&app.origin).await;
    walk(&chrome, async |_| {}).await;
}

#[actix_web::test]
async fn every_step_works_on_a_phone() {
    let app = TestApp::spawn();
    let chrome = Chrome::open(&app.origin).await;
    chrome.resize(PHONE).await;
    walk(&chrome, async |_| {}).await;
}

#[actix_web::test]
async fn the_page_shows_that_the_session_s_connection_is_closed_and_the_token_s_goes_on() {
    let app = TestApp::spawn();
    let chrome = Chrome::open(&app.origin).await;
    live(&chrome, async |_| {}).await;
    // The browser tried again and was refused, and does not try any more.
    chrome.waits_for("[data-result][data-refused]").await;
    let lines = async || -> u64 {
        let shown = chrome.waits_for("[data-connection=token] [data-lines]").await;
        shown.text().await.expect("a text").parse().expect("a number")
    };
    let before = lines().await;
    eventually("more lines", async || (lines().await > before + 1).then_some(())).await;
    chrome.press("Show what the server recorded").await;
    chrome.waits_for("tr[data-side=session][data-cause=session-ended]").await;
}

#[actix_web::test]
async fn without_javascript_each_connection_has_a_tab_and_the_server_shows_its_record() {
    let app = TestApp::spawn();
    let chrome = Chrome::without_javascript(&app.origin).await;
    chrome.go("/compare").await;
    chrome.press("Start a run").await;
    chrome.press("Two live connections").await;
    chrome.is_at("compare/live").await;
    for side in ["session", "token"] {
        chrome.waits_for(&format!("[data-connection={side}] a")).await.click().await.expect("a link");
        eventually("the connection", async || {
            chrome.go("/compare/live").await;
            let row = format!("tr[data-side={side}][data-cause='']");
            let found = chrome.client.find(Locator::Css(&row)).await;
            found.is_ok().then_some(())
        })
        .await;
    }
    chrome.press("Log out everywhere").await;
    chrome.waits_for("tr[data-side=token][data-cause='']").await;
    eventually("the end of the session's connection", async || {
        chrome.go("/compare/live").await;
        let ended = Locator::Css("tr[data-side=session][data-cause=session-ended]");
        chrome.client.find(ended).await.is_ok().then_some(())
    })
    .await;
}

/// Opens both connections with the script, and ends the session.
pub async fn live(chrome: &Chrome, look: impl AsyncFn(&str)) {
    chrome.go("/compare").await;
    chrome.press("Start a run").await;
    chrome.press("Two live connections").await;
    chrome.is_at("compare/live").await;
    look("live").await;
    chrome.press("Open both connections").await;
    for side in ["session", "token"] {
        chrome.waits_for(&format!("[data-connection={side}] [data-state=open]:not([hidden])")).await;
    }
    chrome.press("Log out everywhere").await;
    chrome.waits_for("[data-connection=session] [data-state=closed]:not([hidden])").await;
    chrome.waits_for("[data-connection=token] [data-state=open]:not([hidden])").await;
    chrome.waits_for("[data-result][data-delivered]").await;
    look("live-connections").await;
}

/// Holder and service.
type Holder = (&'static str, &'static str);

/// A button, and afterwards for some holders whether session and token are accepted.
type Step = (&'static str, &'static [(Holder, bool, bool)]);

const YOU: (&str, &str) = ("browser", "shop");
const THIEF: (&str, &str) = ("thief", "shop");
const YOU_AT_THE_DESK: (&str, &str) = ("browser", "desk");

const STEPS: [Step; 34] = [
    ("Start a run", &[(YOU, true, true)]),
    ("Check again", &[(YOU, true, true)]),
    ("Change the role", &[(YOU, true, true)]),
    ("Disable the user", &[(YOU, false, true)]),
    ("Skip 6 minutes", &[(YOU, false, false)]),
    ("Use the refresh token", &[(YOU, false, false)]),
    ("Enable the user", &[(YOU, true, false)]),
    ("Use the refresh token", &[(YOU, true, true)]),
    ("Copy the credentials", &[(YOU, true, true), (THIEF, true, true)]),
    ("Log out", &[(YOU, false, false), (THIEF, false, true)]),
    ("Log in", &[(YOU, true, true), (THIEF, false, true)]),
    ("Copy the credentials", &[(YOU, true, true), (THIEF, true, true)]),
    ("Log out everywhere", &[(YOU, false, true), (THIEF, false, true)]),
    ("Log in", &[(YOU, true, true), (THIEF, false, true)]),
    ("Deny-list in memory", &[(YOU, true, true), (THIEF, false, true)]),
    ("Log out everywhere", &[(YOU, false, false), (THIEF, false, false)]),
    ("Restart the server", &[(YOU, false, true), (THIEF, false, true)]),
    ("Deny-list in the database", &[(YOU, false, true), (THIEF, false, true)]),
    ("Log in", &[(YOU, true, true), (THIEF, false, true)]),
    ("Copy the credentials", &[(YOU, true, true), (THIEF, true, true)]),
    ("Refresh as the thief", &[(YOU, true, true), (THIEF, true, true)]),
    ("Use the refresh token", &[(YOU, true, false), (THIEF, true, false)]),
    ("Log in", &[(YOU, true, true), (THIEF, true, false)]),
    ("Change the signing key", &[(YOU, true, true), (THIEF, true, false)]),
    ("Drop the old key", &[(YOU, true, false), (THIEF, true, false)]),
    ("Log in", &[(YOU, true, true), (THIEF, true, false)]),
    ("Add a second service", &[(YOU_AT_THE_DESK, true, false)]),
    ("Use the refresh token", &[(YOU_AT_THE_DESK, true, true)]),
    ("Break into the desk", &[(THIEF, false, false)]),
    ("Sign with HS256", &[(YOU_AT_THE_DESK, true, false)]),
    ("Break into the desk", &[(THIEF, false, true)]),
    ("Remove the second service", &[(YOU, true, false), (THIEF, false, true)]),
    ("Skip 25 hours", &[(YOU, false, false), (THIEF, false, false)]),
    ("Skip 8 days", &[(YOU, false, false), (THIEF, false, false)]),
];

/// Presses every button at least once.
pub async fn walk(chrome: &Chrome, look: impl AsyncFn(&str)) {
    chrome.go("/compare").await;
    look("compare").await;
    for (number, (button, expected)) in STEPS.into_iter().enumerate() {
        chrome.press(button).await;
        let history = format!("#now[data-step='{}']", number + 1);
        chrome.waits_for(&history).await;
        let seen = verdicts(chrome).await;
        for (who, session, token) in expected {
            let found = seen.iter().find(|(holder, service, ..)| (holder.as_str(), service.as_str()) == *who);
            let found = found.unwrap_or_else(|| panic!("after {button:?} no {who:?}: {seen:?}"));
            assert_eq!((found.2, found.3), (*session, *token), "{who:?} after {button:?}, step {number}");
        }
        if ["Log out", "Break into the desk"].contains(&button) {
            look(&format!("compare-{}", button.to_lowercase().replace(' ', "-"))).await;
        }
    }
    chrome.press("End this run").await;
    chrome.waits_for("form[action='/compare/start']").await;
}

/// Holder, service, and whether session and token are accepted: by the attribute, which must agree with the text.
async fn verdicts(chrome: &Chrome) -> Vec<(String, String, bool, bool)> {
    let script = "return [...document.querySelectorAll('tr[data-holder]')].map(row => [
        row.dataset.holder, row.dataset.service, ...[...row.querySelectorAll('[data-verdict]')].map(one =>
            one.innerText.trim().startsWith(one.dataset.verdict) && one.dataset.verdict)])";
    let rows = chrome.run(script, vec![]).await;
    let accepted = |value: &Value| match value.as_str() {
        Some("accepted") => true,
        Some("refused") => false,
        other => panic!("the text and the verdict differ: {other:?}"),
    };
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    rows.as_array()
        .expect("rows")
        .iter()
        .map(|row| (text(&row[0]), text(&row[1]), accepted(&row[2]), accepted(&row[3])))
        .collect()
}
