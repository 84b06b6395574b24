//! An HTTP client that behaves like a browser: keeps cookies and the form token of the last page, follows no redirects.

use std::collections::BTreeMap;

use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, redirect};
use scraper::{Html, Selector};
use serde_json::Value;

pub struct Browser {
    pub cookies: BTreeMap<String, String>,
    /// Headers of every request.
    pub headers: Vec<(&'static str, String)>,
    /// The token of the last page with one.
    pub token: String,
    origin: String,
    client: Client,
}

/// The response to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Browser {
    pub fn new(origin: &str) -> Self {
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none());
        // Names below localhost are this machine (RFC 6761 §6.3), even if the resolver disagrees.
        let client = match origin.strip_prefix("http://").and_then(|rest| rest.split_once(':')) {
            Some((host, port)) if host.ends_with(".localhost") => {
                client.resolve(host, ([127, 0, 0, 1], port.parse().expect("a port")).into())
            }
            _ => client,
        };
        let client = client.build().expect("a client");
        Self {
            cookies: BTreeMap::new(),
            headers: Vec::new(),
            token: String::new(),
            origin: origin.to_owned(),
            client,
        }
    }

    /// Another browser with copies of all cookies and the token, as a thief would have.
    pub fn copy(&self) -> Self {
        self.copy_at(&self.origin)
    }

    /// The same, at another instance.
    pub fn copy_at(&self, origin: &str) -> Self {
        Self {
            cookies: self.cookies.clone(),
            headers: self.headers.clone(),
            token: self.token.clone(),
            ..Self::new(origin)
        }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// Posts a form with the token of the last page.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token.clone();
        let mut fields = fields.to_vec();
        fields.push(("csrf_token", &token));
        self.post_bare(path, &fields).await
    }

    /// Posts exactly these fields.
    pub async fn post_bare(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(self.request(Method::POST, path).form(fields)).await
    }

    /// Opens a link as users do: a link with a token redirects to its page, whose address has none.
    pub async fn open(&mut self, path: &str) -> Answer {
        let answer = self.get(path).await;
        match answer.header("location") {
            Some(page)
                if ["token", "invite"].iter().any(|name| path.starts_with(&format!("{page}?{name}="))) =>
            {
                let page = page.to_owned();
                self.get(&page).await
            }
            _ => answer,
        }
    }

    /// Posts JSON with the token of the last page, as the script does.
    pub async fn post_json(&mut self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header(CONTENT_TYPE, "application/json");
        let request = request.header("x-csrf-token", self.token.clone());
        self.send(request.body(body.to_string())).await
    }

    /// Opens the page with the form, then posts it there.
    pub async fn fill_in(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.open(path).await;
        self.post(path, fields).await
    }

    pub async fn log_in(&mut self, email: &str, password: &str) -> Answer {
        self.fill_in("/login", &[("email", email), ("password", password)]).await
    }

    /// Whether this browser is logged in.
    pub async fn is_in(&mut self) -> bool {
        let home = self.get("/home").await;
        match home.status {
            200 => true,
            303 => {
                home.redirects_to("/login");
                false
            }
            other => panic!("{other}: {}", home.body),
        }
    }

    /// The key in the session cookie, without the signature.
    pub fn key(&self) -> String {
        let cookie = &self.cookies["latchkey"];
        cookie[cookie.len() - 43..].to_owned()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.client.request(method, format!("{}{path}", self.origin));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if self.cookies.is_empty() {
            return request;
        }
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.header(COOKIE, cookies.join("; "))
    }

    pub async fn send(&mut self, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.expect("a body");
        for cookie in headers.get_all(SET_COOKIE) {
            self.keep(cookie.to_str().expect("a readable cookie"));
        }
        let answer = Answer { status, headers, body };
        if let Some(token) = answer.attribute("input[name=csrf_token]", "value") {
            self.token = token;
        }
        answer
    }

    fn keep(&mut self, cookie: &str) {
        let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
        let (name, value) = pair.split_once('=').expect("name=value");
        if attributes.contains("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The complete `Set-Cookie` of this name.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies.rev().find(|cookie| cookie.starts_with(&format!("{name}=")))
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn html(&self) -> Html {
        Html::parse_document(&self.body)
    }

    /// The text of the first element that matches, with white space collapsed.
    pub fn text(&self, selector: &str) -> Option<String> {
        let selector = Selector::parse(selector).expect("a selector");
        let text: String = self.html().select(&selector).next()?.text().collect();
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The attribute of every element that matches.
    pub fn attributes(&self, selector: &str, name: &str) -> Vec<String> {
        let selector = Selector::parse(selector).expect("a selector");
        self.html()
            .select(&selector)
            .filter_map(|element| element.value().attr(name))
            .map(str::to_owned)
            .collect()
    }

    /// How many elements match.
    pub fn count(&self, selector: &str) -> usize {
        self.html().select(&Selector::parse(selector).expect("a selector")).count()
    }

    pub fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        self.attributes(selector, name).into_iter().next()
    }

    #[track_caller]
    pub fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    #[track_caller]
    pub fn redirects_to(&self, path: &str) -> &Self {
        self.is(303);
        assert_eq!(self.headers.get(LOCATION).map(|value| value.to_str().expect("text")), Some(path));
        self
    }

    /// Whether it redirects to `/login` or `/confirm`, regardless of `next`.
    pub fn is_sent_to(&self, path: &str) -> bool {
        let location = self.header("location").unwrap_or_default();
        self.status == 303 && location.split('?').next() == Some(path)
    }

    /// The codes of the page in this attribute: see `src/web/copy`.
    pub fn codes(&self, attribute: &str) -> Vec<String> {
        self.attributes(&format!("[{attribute}]"), attribute)
    }

    /// The template of the page.
    #[track_caller]
    pub fn is_page(&self, template: &str) -> &Self {
        assert_eq!(self.attribute("main", "data-page").as_deref(), Some(template), "{}", self.body);
        self
    }

    /// Asserts an error page with this code, or a problem document.
    #[track_caller]
    pub fn is_error(&self, code: &str) -> &Self {
        let found = self.attribute("[data-error]", "data-error").or_else(|| self.problem_code());
        assert_eq!(found.as_deref(), Some(code), "{}", self.body);
        self
    }

    /// The message on this page that the previous request set.
    pub fn flash(&self) -> Option<String> {
        self.attribute("[data-flash]", "data-flash")
    }

    #[track_caller]
    pub fn has_flash(&self, code: &str) -> &Self {
        assert_eq!(self.flash().as_deref(), Some(code), "{}", self.body);
        self
    }

    #[track_caller]
    pub fn has_no_flash(&self) -> &Self {
        assert_eq!(self.flash(), None, "{}", self.body);
        self
    }

    /// Why the form was refused: one code per field, or the code of a problem document.
    pub fn refusals(&self) -> Vec<String> {
        self.problem_code().map_or_else(|| self.codes("data-refusal"), |code| vec![code])
    }

    #[track_caller]
    pub fn is_refused(&self, code: &str) -> &Self {
        assert_eq!(self.refusals(), [code], "{}", self.body);
        self
    }

    #[track_caller]
    pub fn has_notice(&self, code: &str) -> &Self {
        let found = self.codes("data-notice");
        assert!(found.iter().any(|it| it == code), "{code} is not among {found:?}: {}", self.body);
        self
    }

    #[track_caller]
    pub fn has_no_notice(&self, code: &str) -> &Self {
        let found = self.codes("data-notice");
        assert!(!found.iter().any(|it| it == code), "{code} is among {found:?}");
        self
    }

    /// The events on the page, by their stored action.
    #[track_caller]
    pub fn has_event(&self, action: &str) -> &Self {
        let found = self.codes("data-event");
        assert!(found.iter().any(|it| it == action), "{action} is not among {found:?}");
        self
    }

    #[track_caller]
    pub fn has_no_event(&self, action: &str) -> &Self {
        let found = self.codes("data-event");
        assert!(!found.iter().any(|it| it == action), "{action} is among {found:?}");
        self
    }

    /// Asserts a user or an invitation in this state.
    #[track_caller]
    pub fn has_state(&self, state: &str) -> &Self {
        let found = self.codes("data-state");
        assert!(found.iter().any(|it| it == state), "{state} is not among {found:?}");
        self
    }

    #[track_caller]
    pub fn has_no_state(&self, state: &str) -> &Self {
        let found = self.codes("data-state");
        assert!(!found.iter().any(|it| it == state), "{state} is among {found:?}");
        self
    }

    /// How many other sessions the user has, according to the page.
    #[track_caller]
    pub fn has_others(&self, count: usize) -> &Self {
        assert_eq!(self.codes("data-others"), [count.to_string()], "{}", self.body);
        self
    }

    /// How many recovery codes are left, according to the page.
    #[track_caller]
    pub fn has_codes_left(&self, count: usize) -> &Self {
        assert_eq!(self.codes("data-codes-left"), [count.to_string()], "{}", self.body);
        self
    }

    /// The number of rows in the list, and the page that is shown: "60 1/3".
    #[track_caller]
    pub fn has_pager(&self, pager: &str) -> &Self {
        assert_eq!(self.codes("data-pager"), [pager], "{}", self.body);
        self
    }

    /// A button for passkeys of this kind: log-in, second-factor or confirm.
    #[track_caller]
    pub fn has_passkey_button(&self, kind: &str) -> &Self {
        assert_eq!(self.codes("data-passkey"), [kind], "{}", self.body);
        self
    }

    fn problem_code(&self) -> Option<String> {
        let problem: Value = serde_json::from_str(&self.body).ok()?;
        problem["code"].as_str().map(str::to_owned)
    }

    /// For text that a test is about, such as a name that a user typed. For our own sentences, compare codes.
    #[track_caller]
    pub fn does_not_say(&self, words: &str) -> &Self {
        assert!(!self.body.contains(words), "{words:?} is in: {}", self.body);
        self
    }

    /// See [`Self::does_not_say`].
    #[track_caller]
    pub fn says(&self, words: &str) -> &Self {
        let text: String = self.html().root_element().text().collect();
        let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(folded.contains(words), "{words:?} is not in: {folded}");
        self
    }
}
