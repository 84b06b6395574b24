//! The whole lab by its buttons, and what the page then says of either side.

use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::chrome::{Chrome, PHONE};

#[actix_web::test]
async fn the_lab_is_walked_and_read_without_javascript() {
    let app = TestApp::spawn();
    let chrome = Chrome::without_javascript(&app.origin).await;
    walk(&chrome, async |_| {}).await;
}

#[actix_web::test]
async fn the_lab_is_walked_and_read_on_a_phone() {
    let app = TestApp::spawn();
    let chrome = Chrome::open(&app.origin).await;
    chrome.resize(PHONE).await;
    walk(&chrome, async |_| {}).await;
}

/// A button, who asks afterwards, and whether session and token let them in.
type Step = (&'static str, &'static [(&'static str, bool, bool)]);

const YOU: &str = "Your browser";
const THIEF: &str = "The thief's browser";
const YOU_AT_THE_DESK: &str = "Your browser, at the desk";

const STEPS: [Step; 34] = [
    ("Open a run", &[(YOU, true, true)]),
    ("Ask again", &[(YOU, true, true)]),
    ("Change the role", &[(YOU, true, true)]),
    ("Disable the subject", &[(YOU, false, true)]),
    ("6 minutes", &[(YOU, false, false)]),
    ("Use the refresh token", &[(YOU, false, false)]),
    ("Enable the subject", &[(YOU, true, false)]),
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
    ("Split into two services", &[(YOU_AT_THE_DESK, true, false)]),
    ("Use the refresh token", &[(YOU_AT_THE_DESK, true, true)]),
    ("Break into the desk", &[("The thief's browser, at the shop", false, false)]),
    ("Sign with HS256", &[(YOU_AT_THE_DESK, true, false)]),
    ("Break into the desk", &[("The thief's browser, at the shop", false, true)]),
    ("Back to one service", &[(YOU, true, false), (THIEF, false, true)]),
    ("25 hours", &[(YOU, false, false), (THIEF, false, false)]),
    ("8 days", &[(YOU, false, false), (THIEF, false, false)]),
];

/// Every button once at least.
pub async fn walk(chrome: &Chrome, look: impl AsyncFn(&str)) {
    chrome.go("/compare").await;
    look("compare").await;
    for (number, (button, expected)) in STEPS.into_iter().enumerate() {
        chrome.press(button).await;
        let history = format!("#now[data-step='{}']", number + 1);
        chrome.waits_for(&history).await;
        let seen = verdicts(chrome).await;
        for (who, session, token) in expected {
            let found = seen.iter().find(|(name, ..)| name == who);
            let found = found.unwrap_or_else(|| panic!("after {button:?} nobody is {who:?}: {seen:?}"));
            assert_eq!((found.1, found.2), (*session, *token), "{who} after {button:?}, step {number}");
        }
        if ["Log out", "Break into the desk"].contains(&button) {
            look(&format!("compare-{}", button.to_lowercase().replace(' ', "-"))).await;
        }
    }
    chrome.press("End this run").await;
    chrome.says("The run is over, and everything of it is deleted.").await;
}

/// As they are read: the words in the chips.
async fn verdicts(chrome: &Chrome) -> Vec<(String, bool, bool)> {
    let script = "return [...document.querySelectorAll('.verdicts tbody tr')].filter(row => row.querySelector('.chip')).map(
        row => [row.querySelector('th').innerText.trim(), ...[...row.querySelectorAll('.chip')].map(chip => chip.innerText.trim())])";
    let rows = chrome.run(script, vec![]).await;
    let word = |value: &Value| match value.as_str() {
        Some("let in") => true,
        Some("refused") => false,
        other => panic!("no verdict: {other:?}"),
    };
    rows.as_array()
        .expect("rows")
        .iter()
        .map(|row| (row[0].as_str().expect("a name").to_owned(), word(&row[1]), word(&row[2])))
        .collect()
}
