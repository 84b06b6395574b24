//! Timed HTTP requests for the history, each on its own connection. They never panic.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use reqwest::header::{CONNECTION, COOKIE, LOCATION, RETRY_AFTER, SET_COOKIE, USER_AGENT};
use reqwest::{Client, Method, redirect};

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

/// The answer, if there was one.
pub struct Reply {
    pub at: Span,
    pub status: Option<u16>,
    pub location: String,
    pub body: String,
    pub retry_after: bool,
    cookies: Vec<String>,
}

impl Wire {
    pub fn new() -> Self {
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(PATIENCE);
        Self { client: client.build().expect("a client"), begun: Instant::now(), tally: Rc::default() }
    }

    pub fn tally(&self) -> Tally {
        self.tally.borrow().clone()
    }

    pub fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).expect("a short run")
    }

    pub async fn get(&self, url: &str, cookies: &str) -> Reply {
        self.send(Method::GET, url, cookies, "soak", &[]).await
    }

    pub async fn post(&self, url: &str, cookies: &str, form: &[(&str, &str)]) -> Reply {
        self.send(Method::POST, url, cookies, "soak", form).await
    }

    pub async fn send(
        &self,
        method: Method,
        url: &str,
        cookies: &str,
        agent: &str,
        form: &[(&str, &str)],
    ) -> Reply {
        let mut request = self.client.request(method.clone(), url);
        request = request.header(CONNECTION, "close").header(USER_AGENT, agent).header(COOKIE, cookies);
        if method == Method::POST {
            request = request.form(form);
        }
        let begun = self.now();
        let mut reply = Reply {
            at: Span { begun, ended: begun },
            status: None,
            location: String::new(),
            body: String::new(),
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
        let field = self.between("name=\"csrf_token\"", ">")?;
        Some(field.split_once("value=\"")?.1.split('"').next()?.to_owned())
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
