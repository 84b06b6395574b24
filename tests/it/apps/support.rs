//! Apps and groups for the tests.

use latchkey::accounts::Accounts;
use latchkey::apps::{Access, AccessList, App, AppOrigin, AppRefusal, Rule, Slug, Upstream};
use latchkey::db::{Failed, Refusable as _};
use latchkey::identity::{Client, GroupName};
use serde_json::Value;

use crate::support::app::TestApp;

/// An app at its own host, which lets in every user.
pub fn app(slug: &str) -> App {
    let origin = AppOrigin::parse(&format!("https://{slug}.example.org")).expect("an origin");
    let upstream = Upstream::parse(&format!("http://{slug}:3000"), None).expect("an upstream");
    let app = App::new(Slug::parse(slug).expect("a slug"), Some(upstream), vec![origin]);
    App { rules: vec![Rule::everywhere(Access::SignedIn)], ..app }
}

pub fn group(name: &str) -> GroupName {
    GroupName::parse(name).expect("a name")
}

/// A rule for the members of one group.
pub fn for_group(name: &str) -> Rule {
    Rule::everywhere(Access::Listed(AccessList { groups: vec![group(name)], ..AccessList::default() }))
}

/// Adds an app for the operator.
pub async fn add(accounts: &Accounts, app: &App) {
    accounts.apps.add(None, app.clone(), Client::operator()).await.expect("an app");
}

pub async fn add_group(accounts: &Accounts, name: &str) {
    accounts.groups.add(None, group(name), "", Client::operator()).await.expect("a group");
}

/// Why the operator may not change `before` to `after`.
pub async fn refusal_of(accounts: &Accounts, before: &App, after: App) -> AppRefusal {
    let changed = accounts.apps.change(None, before.clone(), after, Client::operator()).await;
    changed.split().expect("no fault").expect_err("a refusal")
}

pub fn refused<R>(outcome: Result<(), Failed<R>>) -> R {
    outcome.split().expect("no fault").expect_err("a refusal")
}

/// The detail of the newest event with this action.
pub fn detail(app: &TestApp, act: &str) -> Value {
    let text: String = app
        .db
        .scalar(&format!("SELECT detail FROM audit_events WHERE act = '{act}' ORDER BY id DESC LIMIT 1"));
    serde_json::from_str(&text).expect("JSON")
}
