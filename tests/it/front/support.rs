//! An instance with apps, and a user whose browser moves between the portal and them.

use latchkey::apps::{Access, App, AppOrigin, Rule, Slug, Upstream as AppUpstream};
use latchkey::identity::Client;

use crate::support::app::{Person, TestApp};
use crate::support::browser::{Answer, Browser};
use crate::support::upstream::{OK, Upstream};

/// An app that the test has registered, with the program behind it.
pub struct Wiki {
    pub origin: String,
    pub upstream: Upstream,
}

/// Registers the app `wiki`, which lets in every user and answers "ok".
pub async fn wiki(app: &TestApp) -> Wiki {
    register(app, "wiki", Upstream::answering(OK), |app| {
        app.rules = vec![Rule::everywhere(Access::SignedIn)];
    })
    .await
}

/// Registers an app at `http://slug.localhost`.
pub async fn register(app: &TestApp, slug: &str, upstream: Upstream, change: impl FnOnce(&mut App)) -> Wiki {
    let port = app.origin.rsplit(':').next().expect("a port");
    let origin = format!("http://{slug}.localhost:{port}");
    let at = AppOrigin::parse(&origin).expect("an origin");
    let to = AppUpstream::parse(&upstream.url(), None).expect("an upstream");
    let mut registered = App::new(Slug::parse(slug).expect("a slug"), Some(to), vec![at]);
    change(&mut registered);
    app.accounts.apps.add(None, registered, Client::operator()).await.expect("an app");
    Wiki { origin, upstream }
}

/// A browser: its cookies for the portal, and those for the app.
pub struct User {
    pub portal: Browser,
    pub at_app: Browser,
}

impl User {
    /// A visitor, who opens pages in tabs.
    pub fn new(app: &TestApp, wiki: &Wiki) -> Self {
        let mut at_app = Browser::new(&wiki.origin);
        at_app.headers = navigation();
        Self { portal: app.browser(), at_app }
    }

    /// Logged in at the portal.
    pub async fn logged_in(app: &TestApp, wiki: &Wiki, person: &Person) -> Self {
        Self { portal: app.logged_in(person).await, ..Self::new(app, wiki) }
    }

    /// Logged in, with a key of the app, to which nothing was sent yet.
    pub async fn with_key(app: &TestApp, wiki: &Wiki, person: &Person) -> Self {
        let mut user = Self::logged_in(app, wiki, person).await;
        let (_, enter) = user.code().await;
        user.at_app.get(&enter).await.is(303);
        user
    }

    /// Logged in, and inside the app.
    pub async fn inside(app: &TestApp, wiki: &Wiki, person: &Person) -> Self {
        let mut user = Self::logged_in(app, wiki, person).await;
        user.enter("/").await.is(200);
        user
    }

    /// Begins a handoff to the start page of the app. Returns the portal's part of it, `/go/…`, and where that leads:
    /// `/.latchkey/enter` with a code.
    pub async fn code(&mut self) -> (String, String) {
        let go = path_of(&self.at_app.get("/.latchkey/in?to=%2F").await);
        let enter = path_of(&self.portal.get(&go).await);
        (go, enter)
    }

    /// Opens `path` of the app and follows the handoff to its end.
    pub async fn enter(&mut self, path: &str) -> Answer {
        let first = self.at_app.get(path).await;
        let begin = path_of(&first);
        let there = self.at_app.get(&begin).await;
        let portal = path_of(&there);
        let back = self.portal.get(&portal).await;
        let enter = path_of(&back);
        let entered = self.at_app.get(&enter).await;
        entered.is(303);
        self.at_app.get(&path_of(&entered)).await
    }
}

/// What browsers send when a user opens a page.
pub fn navigation() -> Vec<(&'static str, String)> {
    [("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
}

/// What browsers send for a script of the app.
pub fn script() -> Vec<(&'static str, String)> {
    [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
}

/// Path and query of where an answer leads: its `Location`, or its `Refresh`.
#[track_caller]
pub fn path_of(answer: &Answer) -> String {
    let refresh = || answer.header("refresh")?.strip_prefix("0; url=");
    let target = answer.header("location").or_else(refresh);
    let target = target.unwrap_or_else(|| panic!("{}: {}", answer.status, answer.body));
    match target.split_once("://") {
        Some((_, rest)) => format!("/{}", rest.split_once('/').map_or("", |(_, path)| path)),
        None => target.to_owned(),
    }
}
