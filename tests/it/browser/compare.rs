//! Every step on `/compare` by its button, and the verdicts on the page afterwards.

use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::chrome::{Chrome, PHONE};

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
