//! Timed HTTP requests for the history, each on its own connection. They never panic.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use reqwest::header::{
    ACCEPT, CONNECTION, COOKIE, HOST, LOCATION, ORIGIN, REFRESH, RETRY_AFTER, SET_COOKIE, USER_AGENT,
};
use reqwest::{Client, Method, Response, redirect};

use super::record::{Done, Span};

/// Longer than the program may take for any answer; shorter than [`super::checker::SETTLED`] allows for.
const PATIENCE: Duration = Duration::from_secs(8);

#[derive(Clone)]
pub struct Wire {
    client: Client,
    begun: Instant,
    tally: Rc<RefCell<Tally>>,
}

/// The number of requests, and of those that failed.
#[derive(Clone, Default)]
pub struct Tally {
    /// By method.
    pub sent: BTreeMap<&'static str, usize>,
    /// By method and by what was received instead of an answer.
    pub failed: BTreeMap<(&'static str, String), usize>,
    /// The times of the first and the last failure.
    pub first_failed: Option<u64>,
    pub last_failed: Option<u64>,
}

impl Tally {
    pub fn all_failed(&self) -> usize {
        self.failed.values().sum()
    }

    pub fn failed(&self, method: &str) -> usize {
        self.failed.iter().filter(|((of, _), _)| *of == method).map(|(_, count)| count).sum()
    }

    fn note(&mut self, method: &Method, reply: &Reply) {
        let method = if *method == Method::GET { "GET" } else { "POST" };
        *self.sent.entry(method).or_default() += 1;
        let why = match reply.status {
            Some(status) if status < 500 => return,
            Some(status) => status.to_string(),
            None => "no answer".to_owned(),
        };
        *self.failed.entry((method, why)).or_default() += 1;
        self.first_failed.get_or_insert(reply.at.begun);
        self.last_failed = Some(reply.at.ended);
    }
}

/// A request.
pub struct Ask<'a> {
    method: Method,
    url: &'a str,
    cookies: &'a str,
    agent: &'a str,
    form: &'a [(&'a str, &'a str)],
    /// The `Host`, if it is not that of `url`.
    host: Option<&'a str>,
    origin: Option<&'a str>,
}

impl<'a> Ask<'a> {
    pub fn page(url: &'a str, cookies: &'a str) -> Self {
        Self { method: Method::GET, url, cookies, agent: "soak", form: &[], host: None, origin: None }
    }

    pub fn form(url: &'a str, cookies: &'a str, form: &'a [(&'a str, &'a str)]) -> Self {
        Self { method: Method::POST, form, ..Self::page(url, cookies) }
    }

    pub fn at(self, host: &'a str) -> Self {
        Self { host: Some(host), ..self }
    }

    pub fn from(self, origin: &'a str) -> Self {
        Self { origin: Some(origin), ..self }
    }
}

/// The answer, if there was one.
pub struct Reply {
    pub at: Span,
    pub status: Option<u16>,
    pub location: String,
    refresh: String,
    pub body: String,
    pub retry_after: bool,
    cookies: Vec<String>,
}

impl Wire {
    pub fn new() -> Self {
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(PATIENCE);
        Self { client: client.build().expect("a client"), begun: Instant::now(), tally: Rc::default() }
    }

    /// With the same clock, and a tally of its own.
    pub fn counting_apart(&self) -> Self {
        Self { tally: Rc::default(), ..self.clone() }
    }

    pub fn tally(&self) -> Tally {
        self.tally.borrow().clone()
    }

    pub fn now(&self) -> u64 {
        self.clock()()
    }

    /// The same clock, for the threads of an app.
    pub fn clock(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let begun = self.begun;
        move || u64::try_from(begun.elapsed().as_micros()).expect("a short run")
    }

    /// The response to a request for a page of `host`, whose body is still arriving.
    pub async fn open(&self, url: &str, cookies: &str, host: &str) -> Option<Response> {
        let request = self.client.get(url).header(COOKIE, cookies).header(HOST, host);
        request.header(USER_AGENT, "soak").send().await.ok()
    }

    pub async fn get(&self, url: &str, cookies: &str) -> Reply {
        self.ask(Ask::page(url, cookies)).await
    }

    pub async fn post(&self, url: &str, cookies: &str, form: &[(&str, &str)]) -> Reply {
        self.ask(Ask::form(url, cookies, form)).await
    }

    pub async fn send(
        &self,
        method: Method,
        url: &str,
        cookies: &str,
        agent: &str,
        form: &[(&str, &str)],
    ) -> Reply {
        self.ask(Ask { method, agent, ..Ask::form(url, cookies, form) }).await
    }

    pub async fn ask(&self, ask: Ask<'_>) -> Reply {
        let Ask { method, url, cookies, agent, form, host, origin } = ask;
        let mut request = self.client.request(method.clone(), url);
        request = request.header(CONNECTION, "close").header(USER_AGENT, agent).header(COOKIE, cookies);
        request = request.header(ACCEPT, "text/html");
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        if method == Method::POST {
            request = request.form(form);
        }
        let begun = self.now();
        let mut reply = Reply {
            at: Span { begun, ended: begun },
            status: None,
            location: String::new(),
            body: String::new(),
            refresh: String::new(),
            retry_after: false,
            cookies: Vec::new(),
        };
        if let Ok(response) = request.send().await {
            let status = response.status().as_u16();
            let headers = response.headers().clone();
            // A truncated answer counts as none.
            if let Ok(body) = response.text().await {
                let text =
                    |value: &reqwest::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
                reply.status = Some(status);
                reply.retry_after = headers.contains_key(RETRY_AFTER);
                reply.location = headers.get(LOCATION).map(text).unwrap_or_default();
                reply.refresh = headers.get(REFRESH).map(text).unwrap_or_default();
                reply.cookies = headers.get_all(SET_COOKIE).iter().map(text).collect();
                reply.body = body;
            }
        }
        reply.at.ended = self.now();
        self.tally.borrow_mut().note(&method, &reply);
        reply
    }
}

impl Reply {
    /// The cookie as `name=value`, as a browser sends it back.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let begins = format!("{name}=");
        let set = self.cookies.iter().rev().find(|cookie| cookie.starts_with(&begins))?;
        let pair = set.split(';').next()?.to_owned();
        (pair.len() > begins.len() && !set.contains("Max-Age=0")).then_some(pair)
    }

    /// All cookies that were set, as a browser sends them back.
    pub fn all_cookies(&self) -> String {
        let pairs: Vec<&str> = self.cookies.iter().filter_map(|cookie| cookie.split(';').next()).collect();
        pairs.join("; ")
    }

    /// The text between the first occurrence of these two texts.
    pub fn between(&self, before: &str, after: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(before)?;
        Some(rest.split_once(after)?.0.to_owned())
    }

    pub fn token(&self) -> Option<String> {
        self.field("csrf_token")
    }

    /// The value of a form's field.
    pub fn field(&self, name: &str) -> Option<String> {
        let field = self.between(&format!("name=\"{name}\""), ">")?;
        Some(field.split_once("value=\"")?.1.split('"').next()?.to_owned())
    }

    /// Whether it removes the cookie.
    pub fn removes(&self, name: &str) -> bool {
        self.cookies.iter().any(|cookie| {
            cookie.strip_prefix(name).is_some_and(|rest| rest.starts_with('=') && rest.contains("Max-Age=0"))
        })
    }

    /// The path and query to which a browser continues automatically.
    pub fn next_path(&self) -> Option<String> {
        let refresh = self.refresh.split_once("url=").map(|(_, url)| url);
        let target = Some(self.location.as_str()).filter(|location| !location.is_empty()).or(refresh)?;
        let path = target
            .split_once("://")
            .map_or(target, |(_, rest)| &rest[rest.find('/').unwrap_or(rest.len())..]);
        path.starts_with('/').then(|| path.to_owned())
    }

    /// Whether it redirects to exactly this path.
    pub fn leads_to(&self, path: &str) -> bool {
        self.status == Some(303) && self.location == path
    }

    /// Whether it redirects to the log-in page.
    pub fn is_turned_away(&self) -> bool {
        self.status == Some(401)
            || (self.status == Some(303) && self.location.split('?').next() == Some("/login"))
    }

    /// Whether nothing can be concluded from it, as from a proxy's 502 or 504.
    pub fn is_nothing(&self) -> bool {
        matches!(self.status, None | Some(408 | 502 | 503 | 504))
    }

    /// The redirect target in the answer.
    pub fn done(&self, path: &str) -> Done {
        if self.leads_to(path) {
            Done::Yes
        } else if self.is_nothing() || self.status == Some(500) {
            Done::Unknown
        } else {
            Done::No
        }
    }
}
