//! A program with a token, and the tokens of the tests.

use std::time::Duration;

use latchkey::identity::{Client, UserId};
use latchkey::tokens::{ApiScope, CreatedToken, NewToken, RequestedScopes};
use latchkey::web::copy::problem_codes::PROBLEM_CODES;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, ETAG};
use serde_json::Value;
use uuid::Uuid;

use crate::support::app::{Person, TestApp};
use crate::support::browser::{Answer, Browser};

/// A program that sends a token with every request, or none.
pub struct Program {
    pub browser: Browser,
    token: Option<String>,
}

impl Program {
    /// Without a token.
    pub fn stranger(app: &TestApp) -> Self {
        Self { browser: app.browser(), token: None }
    }

    /// With a token of `person` that has these scopes.
    pub async fn of(app: &TestApp, person: &Person, scopes: &[ApiScope]) -> Self {
        let token = token_of(app, person, scopes).await;
        Self::with(app, token.text.reveal())
    }

    /// With a token of `person` that has every scope.
    pub async fn with_all(app: &TestApp, person: &Person) -> Self {
        Self::of(app, person, &ApiScope::ALL).await
    }

    pub fn with(app: &TestApp, token: &str) -> Self {
        Self { browser: app.browser(), token: Some(token.to_owned()) }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.browser.request(method, path);
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    pub async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        self.browser.send(request).await
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&mut self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.body(Method::POST, path, &body.to_string()).await
    }

    pub async fn put(&mut self, path: &str, body: &Value) -> Answer {
        self.body(Method::PUT, path, &body.to_string()).await
    }

    pub async fn patch(&mut self, path: &str, body: &Value) -> Answer {
        self.body(Method::PATCH, path, &body.to_string()).await
    }

    /// Sends a text as JSON.
    pub async fn body(&mut self, method: Method, path: &str, body: &str) -> Answer {
        let request = self.request(method, path).header(CONTENT_TYPE, "application/json");
        self.send(request.body(body.to_owned())).await
    }

    /// The same with a further header.
    pub async fn body_if(&mut self, method: Method, path: &str, header: (&str, &str), body: &str) -> Answer {
        let request = self.request(method, path).header(CONTENT_TYPE, "application/json");
        self.send(request.header(header.0, header.1).body(body.to_owned())).await
    }

    /// The items of all pages of a list.
    pub async fn items(&mut self, path: &str, limit: usize) -> Vec<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let first = format!("{path}{separator}limit={limit}");
        let (mut items, mut next) = (Vec::new(), first.clone());
        loop {
            let page = self.get(&next).await;
            let mut page = page.is(200).json();
            let found = page["items"].as_array_mut().expect("items");
            assert!(found.len() <= limit);
            items.append(found);
            match page["next"].as_str() {
                Some(cursor) => next = format!("{first}&cursor={cursor}"),
                None => return items,
            }
        }
    }
}

pub async fn token_of(app: &TestApp, person: &Person, scopes: &[ApiScope]) -> CreatedToken {
    token_with(app, person, RequestedScopes::Api(scopes.iter().copied().collect())).await
}

pub async fn token_with(app: &TestApp, person: &Person, scopes: RequestedScopes) -> CreatedToken {
    let token = NewToken {
        user: UserId(person.id),
        name: format!("program {}", Uuid::new_v4().simple()),
        scopes,
        lifetime: Duration::from_secs(86_400),
        made_by: None,
    };
    app.accounts.tokens.create(token, Client::operator()).await.expect("a token")
}

/// What an answer of the API looks like.
pub trait ApiAnswer {
    /// Asserts a problem document with this status and code.
    fn is_problem(&self, status: u16, code: &str) -> Value;

    /// The code of the only error, and the value that it names.
    fn error(&self) -> (String, String);

    fn etag(&self) -> String;
}

impl ApiAnswer for Answer {
    #[track_caller]
    fn is_problem(&self, status: u16, code: &str) -> Value {
        self.is(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.body);
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert!(
            PROBLEM_CODES.iter().any(|(listed, _)| *listed == code),
            "{code} is not on the page of the API"
        );
        let kind = problem["type"].as_str().unwrap_or_default();
        assert!(kind.ends_with(&format!("/api#{code}")), "{kind}");
        for member in ["type", "title", "detail", "instance"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
        }
        assert!(problem["errors"].is_array(), "{problem}");
        problem
    }

    #[track_caller]
    fn error(&self) -> (String, String) {
        let problem = self.json();
        let errors = problem["errors"].as_array().expect("errors");
        assert_eq!(errors.len(), 1, "{problem}");
        let text = |name: &str| errors[0][name].as_str().expect("a text").to_owned();
        (text("pointer"), text("code"))
    }

    #[track_caller]
    fn etag(&self) -> String {
        self.header(ETAG.as_str()).unwrap_or_else(|| panic!("no ETag: {}", self.body)).to_owned()
    }
}
