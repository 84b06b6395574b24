//! The page of the demo app and its event stream.

use std::time::Duration;

use actix_web::http::header::HeaderMap;
use actix_web::rt::time::sleep;
use actix_web::web::Bytes;
use actix_web::{Error, HttpRequest, HttpResponse};
use askama::filters::{Html, escape};
use futures_util::stream::unfold;
use percent_encoding::percent_decode_str;
use time::OffsetDateTime;

const PAGE: &str = include_str!("page.html");

/// The headers that Latchkey sets, unless they were renamed for the app.
const IDENTITY: [&str; 4] = ["remote-user", "remote-name", "remote-email", "remote-groups"];

pub async fn who_am_i(request: HttpRequest) -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page(request.headers()))
}

fn page(headers: &HeaderMap) -> String {
    let text = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
    };
    let greeting = match text("remote-name") {
        Some(name) => format!("Hello, {}", escaped(&name)),
        None => "Hello, visitor".to_owned(),
    };
    let identity: String =
        IDENTITY.iter().map(|name| row(name, &text(name).unwrap_or_else(|| "–".to_owned()))).collect();
    let mut lines: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    lines.sort();
    let lines: String = lines.iter().map(|(name, value)| row(name, value)).collect();
    // The values are replaced last, so that none of them is read as a placeholder.
    let (start, rest) = PAGE.split_once("{greeting}").unwrap_or((PAGE, ""));
    let (middle, rest) = rest.split_once("{identity}").unwrap_or((rest, ""));
    let (more, end) = rest.split_once("{headers}").unwrap_or((rest, ""));
    [start, &greeting, middle, &identity, more, &lines, end].concat()
}

fn row(name: &str, value: &str) -> String {
    format!("<tr><th>{}</th><td>{}</td></tr>", escaped(name), escaped(value))
}

fn escaped(text: &str) -> String {
    escape(text, Html).map(|escaped| escaped.to_string()).unwrap_or_default()
}

/// One event a second.
pub async fn events() -> HttpResponse {
    let times = unfold(true, |first| async move {
        if !first {
            sleep(Duration::from_secs(1)).await;
        }
        let now = OffsetDateTime::now_utc();
        let event = format!("data: {:02}:{:02}:{:02} UTC\n\n", now.hour(), now.minute(), now.second());
        Some((Ok::<_, Error>(Bytes::from(event)), false))
    });
    HttpResponse::Ok()
        .insert_header(("content-type", "text/event-stream"))
        .insert_header(("cache-control", "no-store"))
        .streaming(times)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn the_page_shows_the_user_and_escapes_what_it_shows() {
        let mut headers = HeaderMap::new();
        let mut put =
            |name, value| headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        put("remote-name", "C%C3%A9line");
        put("x-evil", "<script>{headers}");
        let page = page(&headers);
        assert!(page.contains("<h1>Hello, Céline</h1>"));
        assert!(!page.contains("<script>{headers}") && page.contains("{headers}</td>"), "{page}");
        assert!(page.ends_with("</html>\n"));
    }
}
