//! Latchkey's pages and problem documents on the host of an app. They load nothing else from that host: the stylesheet
//! is in the page, and its hash is in the policy.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use askama::Template;
use data_encoding::BASE64;
use serde_json::json;

use crate::apps::App;
use crate::secret;
use crate::web::copy::front::{FrontCode, FrontCopy};

#[derive(Template)]
#[template(path = "front/page.html")]
struct FrontPage<'a> {
    code: &'a str,
    heading: &'a str,
    app: &'a str,
    lines: &'a [String],
    links: &'a [PageLink],
    button: Option<&'a PageButton>,
    request_id: &'a str,
}

pub struct PageLink {
    pub label: &'static str,
    pub href: String,
    pub is_primary: bool,
    pub new_tab: bool,
}

impl PageLink {
    pub fn to(label: &'static str, href: impl Into<String>) -> Self {
        Self { label, href: href.into(), is_primary: true, new_tab: false }
    }

    pub fn secondary(self) -> Self {
        Self { is_primary: false, ..self }
    }

    pub fn in_new_tab(self) -> Self {
        Self { new_tab: true, ..self }
    }
}

/// A form with one button.
pub struct PageButton {
    pub label: &'static str,
    pub action: &'static str,
    pub token: String,
}

/// The content of a page, in addition to the sentence of its code.
#[derive(Default)]
pub struct PageContent {
    /// Replaces the heading of the code.
    pub heading: Option<String>,
    /// Sentences before that of the code.
    pub before: Vec<String>,
    pub links: Vec<PageLink>,
    pub button: Option<PageButton>,
}

/// Which sites may show the page in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Nowhere,
    /// A page whose only link opens a new tab, for an app in a frame of another site.
    Anywhere,
}

/// A page for a user. `app`: `None` if no app is known.
pub fn page(code: FrontCode, app: Option<&App>, content: PageContent, request_id: &str) -> HttpResponse {
    let FrontCopy { status, code: text, heading, text: sentence } = code.copy();
    let mut lines = content.before;
    lines.push(sentence.to_owned());
    let page = FrontPage {
        code: text,
        heading: content.heading.as_deref().unwrap_or(heading),
        app: app.map(|app| app.name.as_str()).unwrap_or_default(),
        lines: &lines,
        links: &content.links,
        button: content.button.as_ref(),
        // The page is not an error, so it shows no support code.
        request_id: if status < 400 { "" } else { request_id },
    };
    let mut response = HttpResponse::build(status_of(code));
    response.insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"));
    // A page that is static text and one struct cannot fail to render.
    let mut response = response.body(page.render().unwrap_or_default());
    let is_for_frames = matches!(code, FrontCode::Frame | FrontCode::ConfirmFrame);
    let framing = if is_for_frames { Framing::Anywhere } else { Framing::Nowhere };
    secure(response.headers_mut(), framing);
    response
}

/// A problem document for a script (RFC 9457). `log_in`: where a user logs in or confirms.
pub fn problem(code: FrontCode, why: Option<&str>, log_in: Option<&str>, request_id: &str) -> HttpResponse {
    problem_with_status(status_of(code), code, why, log_in, request_id)
}

/// The same with another status than that of the code.
pub fn problem_with_status(
    status: StatusCode,
    code: FrontCode,
    why: Option<&str>,
    log_in: Option<&str>,
    request_id: &str,
) -> HttpResponse {
    let copy = code.copy();
    let mut body = json!({
        "type": format!("urn:latchkey:{}", copy.code),
        "title": copy.heading,
        "status": status.as_u16(),
        "code": copy.code,
        "detail": why.unwrap_or(copy.text),
        "request_id": request_id,
    });
    if let Some(log_in) = log_in {
        body["log_in"] = log_in.into();
    }
    let mut response =
        HttpResponse::build(status).content_type("application/problem+json").body(body.to_string());
    secure(response.headers_mut(), Framing::Nowhere);
    response
}

/// A redirect by Latchkey. It must not be cached.
pub fn redirect(status: StatusCode, location: &str) -> HttpResponse {
    let mut response = HttpResponse::build(status).insert_header((header::LOCATION, location)).finish();
    secure(response.headers_mut(), Framing::Nowhere);
    response
}

pub fn status_of(code: FrontCode) -> StatusCode {
    StatusCode::from_u16(code.copy().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn secure(headers: &mut HeaderMap, framing: Framing) {
    let policy = match framing {
        Framing::Nowhere => &POLICY.0,
        Framing::Anywhere => &POLICY.1,
    };
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if framing == Framing::Nowhere {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// The policies of pages that may not be shown in a frame, and of pages that may.
static POLICY: LazyLock<(String, String)> = LazyLock::new(|| {
    let policy = |ancestors| {
        format!(
            "default-src 'none'; style-src 'sha256-{}'; form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}",
            style_hash()
        )
    };
    (policy("'none'"), policy("*"))
});

/// The hash of the stylesheet as it is rendered.
fn style_hash() -> String {
    let empty =
        FrontPage { code: "", heading: "", app: "", lines: &[], links: &[], button: None, request_id: "" };
    let page = empty.render().unwrap_or_default();
    let style = page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>"));
    BASE64.encode(&secret::sha256(style.map(|(style, _)| style).unwrap_or_default().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_and_a_valid_status() {
        let mut codes: Vec<&str> = FrontCode::ALL.iter().map(|code| code.copy().code).collect();
        codes.sort_unstable();
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert!(FrontCode::ALL.iter().all(|code| StatusCode::from_u16(code.copy().status).is_ok()));
    }

    #[test]
    fn a_page_needs_nothing_from_the_host_of_the_app() {
        let content = PageContent { before: vec!["<b>&".to_owned()], ..PageContent::default() };
        let response = page(FrontCode::Unknown, None, content, "id");
        let policy = response.headers().get(header::CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(policy.contains(&format!("style-src 'sha256-{}'", style_hash())), "{policy}");
        assert!(!POLICY.0.contains("'self';  ") && style_hash().len() == 44);
        assert!(response.headers().get(header::X_FRAME_OPTIONS).is_some());
    }
}
