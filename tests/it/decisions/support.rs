//! A proxy that asks for decisions, as each of the five does.

use std::collections::BTreeMap;

use reqwest::Method;

use crate::front::support::{User, Wiki};
use crate::support::app::TestApp;
use crate::support::browser::{Answer, Browser};

/// The spellings of `/decide/…`.
pub const FLAVOURS: [&str; 4] = ["nginx", "forward", "haproxy", "envoy"];

pub fn spawn() -> TestApp {
    TestApp::spawn_with(|settings| settings.front.port = Some(0))
}

/// A proxy in front of one app.
pub struct Proxy {
    pub flavour: &'static str,
    pub slug: String,
    pub scheme: &'static str,
    pub host: String,
    /// The client's address.
    pub client: String,
    listener: Browser,
}

impl Proxy {
    pub fn new(app: &TestApp, wiki: &Wiki, flavour: &'static str) -> Self {
        let host = wiki.origin.strip_prefix("http://").expect("an origin").to_owned();
        Self {
            flavour,
            slug: host.split('.').next().expect("a slug").to_owned(),
            scheme: "http",
            host,
            client: "192.0.2.7".to_owned(),
            listener: Browser::new(&format!("http://127.0.0.1:{}", app.decisions)),
        }
    }

    /// The headers with which the proxy describes a request.
    pub fn family(&self, method: &str, target: &str) -> Vec<(&'static str, String)> {
        let Self { scheme, host, client, .. } = self;
        let (method, target) = (method.to_owned(), target.to_owned());
        let mut headers = vec![("x-forwarded-for", client.clone())];
        match self.flavour {
            "nginx" => headers.extend([
                ("x-original-url", format!("{scheme}://{host}{target}")),
                ("x-original-method", method),
            ]),
            "envoy" => headers.extend([("x-forwarded-proto", scheme.to_string()), ("host", host.clone())]),
            _ => headers.extend([
                ("x-forwarded-proto", scheme.to_string()),
                ("x-forwarded-host", host.clone()),
                ("x-forwarded-uri", target),
                ("x-forwarded-method", method),
            ]),
        }
        headers
    }

    /// Asks about a request with the headers and cookies of `browser`.
    pub async fn ask(&mut self, browser: &Browser, method: &str, target: &str) -> Answer {
        let mut headers = browser.headers.clone();
        headers.extend(self.family(method, target));
        self.ask_with(headers, &browser.cookies, method, target).await
    }

    /// Asks with these headers alone.
    pub async fn ask_with(
        &mut self,
        headers: Vec<(&'static str, String)>,
        cookies: &BTreeMap<String, String>,
        method: &str,
        target: &str,
    ) -> Answer {
        let (on_wire, rest) = match self.flavour {
            "envoy" => (method, target),
            // The sub-request of nginx is a GET.
            _ => ("GET", ""),
        };
        let path = format!("/decide/{}/{}{rest}", self.flavour, self.slug);
        self.send(on_wire, &path, headers, cookies).await
    }

    /// Sends any request to the listener.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: Vec<(&'static str, String)>,
        cookies: &BTreeMap<String, String>,
    ) -> Answer {
        self.listener.headers = headers;
        self.listener.cookies = cookies.clone();
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let answer = self.listener.send(self.listener.request(method, path)).await;
        if path.starts_with("/decide/") {
            assert_eq!(answer.header("set-cookie"), None, "a decision sets no cookie");
        }
        answer
    }
}

/// The user's browser at the app, with the headers of a page that is opened in a tab.
pub async fn inside(app: &TestApp, wiki: &Wiki) -> User {
    let ada = app.ada().await;
    User::inside(app, wiki, &ada).await
}
