//! The lab behind `/compare`: its steps, its measurements, and that its tokens and settings affect nothing else.

mod forged_credentials;
mod live;
mod measurements;
mod off;
mod prove_revocation;
mod steps;
mod tokens_are_no_sessions;

use scraper::{ElementRef, Selector};

use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};

const SESSION: &str = "/compare/session";
const TOKEN: &str = "/compare/jwt";

/// A browser with a run of its own.
async fn start_run(app: &TestApp) -> Browser {
    let mut browser = app.browser();
    browser.fill_in("/compare", &[]).await;
    browser.post("/compare/start", &[]).await.redirects_to("/compare#now");
    browser
}

/// Takes a step, and returns its outcome: its code and, if a refresh token was refused, why.
async fn step(browser: &mut Browser, name: &str) -> (String, Option<String>) {
    step_with(browser, name, "").await
}

async fn step_with(browser: &mut Browser, name: &str, value: &str) -> (String, Option<String>) {
    browser.get("/compare").await.is(200);
    browser.post(&format!("/compare/{name}"), &[("value", value)]).await.redirects_to("/compare#now");
    let page = browser.get("/compare").await;
    let outcome = page.attribute("#now", "data-outcome").expect("an outcome");
    (outcome, page.attribute("#now", "data-refusal"))
}

/// The role with which the guarded page at `path` accepts this browser; `None` if it refuses.
async fn role_at(browser: &mut Browser, path: &str) -> Option<String> {
    verdict_at(browser, path).await.0
}

/// … and the code of the reason.
async fn verdict_at(browser: &mut Browser, path: &str) -> (Option<String>, String) {
    let answer = browser.get(path).await;
    let attribute = |name: &str| answer.attribute("[data-verdict]", name).expect("a verdict");
    let reason = attribute("data-reason");
    match (answer.status, attribute("data-verdict").as_str()) {
        (200, "accepted") => (Some(attribute("data-role")), reason),
        (401, "refused") => {
            assert!(answer.header("www-authenticate").is_some(), "a refusal without a challenge");
            (None, reason)
        }
        (status, verdict) => panic!("{status} with {verdict}: {}", answer.body),
    }
}

/// The roles at the page behind the session and at the page behind the token.
async fn roles(browser: &mut Browser) -> (Option<String>, Option<String>) {
    (role_at(browser, SESSION).await, role_at(browser, TOKEN).await)
}

/// What [`roles`] returns; an empty text is a refusal.
fn expect(session: &str, token: &str) -> (Option<String>, Option<String>) {
    let role = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (role(session), role(token))
}

/// The verdicts on `/compare`: holder, service, and whether session and token are accepted.
async fn comparisons(browser: &mut Browser) -> Vec<(String, String, bool, bool)> {
    let page = browser.get("/compare").await;
    page.is(200);
    comparisons_on(&page)
}

fn comparisons_on(page: &Answer) -> Vec<(String, String, bool, bool)> {
    let select = |text: &str| Selector::parse(text).expect("a selector");
    let (rows, verdicts) = (select("tr[data-holder]"), select("[data-verdict]"));
    let attribute =
        |element: &ElementRef<'_>, name: &str| element.attr(name).expect("an attribute").to_owned();
    page.html()
        .select(&rows)
        .map(|row| {
            let accepted: Vec<bool> =
                row.select(&verdicts).map(|one| attribute(&one, "data-verdict") == "accepted").collect();
            let [session, token] = accepted[..] else { panic!("{} verdicts in a row", accepted.len()) };
            (attribute(&row, "data-holder"), attribute(&row, "data-service"), session, token)
        })
        .collect()
}

fn comparison(holder: &str, service: &str, session: bool, token: bool) -> (String, String, bool, bool) {
    (holder.to_owned(), service.to_owned(), session, token)
}

/// The codes of the reasons on `/compare`, in the order of the page.
fn reasons(page: &Answer) -> Vec<String> {
    page.attributes("tr[data-holder] [data-reason]", "data-reason")
}
