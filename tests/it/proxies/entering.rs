//! The handoff behind a proxy: five tabs, requests after the session has ended, and the address with TLS.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_native_tls::native_tls::{Certificate, TlsConnector};

use super::behind::Behind;
use crate::front::support::{User, navigation, path_of, script};
use crate::support::browser::Browser;

/// Five tabs are sent to the log-in and finish in another order: all five show their page.
pub async fn five_tabs(behind: &Behind) {
    let mut at_app = Browser::new(&behind.wiki.origin);
    at_app.headers = navigation();
    let mut begun = Vec::new();
    for tab in 0..5 {
        let first = at_app.get(&format!("/tab/{tab}")).await;
        first.is(302);
        begun.push((tab, path_of(&at_app.get(&path_of(&first)).await)));
    }
    let mut portal = behind.app.logged_in(&behind.ada).await;
    begun.rotate_left(2);
    begun.swap(0, 3);
    for (tab, go) in begun {
        let enter = path_of(&portal.get(&go).await);
        let entered = at_app.get(&enter).await;
        entered.is(303);
        assert_eq!(path_of(&entered), format!("/tab/{tab}"), "{:?}", behind.program);
        at_app.get(&format!("/tab/{tab}")).await.is(200);
    }
}

/// Ten requests at once after the session has ended: the navigation among them leads to the log-in and back to its page.
pub async fn ten_requests(behind: &Behind, user: &mut User) {
    let mut elsewhere = behind.app.logged_in(&behind.ada).await;
    elsewhere.get("/account/sessions").await.is(200);
    elsewhere.post("/account/sessions/revoke-others", &[]).await.is(303);
    behind.wiki.upstream.forget();
    let mut scripts = user.at_app.copy();
    scripts.headers = script();
    let requests = (0..10).map(|number| {
        let browser = if number == 4 { &user.at_app } else { &scripts };
        browser.request(reqwest::Method::GET, &format!("/item/{number}")).send()
    });
    for (number, answer) in join_all(requests).await.into_iter().enumerate() {
        let expected = if number == 4 { 302 } else { 401 };
        assert_eq!(answer.expect("an answer").status(), expected, "{:?}", behind.program);
    }
    assert!(behind.wiki.upstream.received().is_empty(), "{:?}", behind.program);
    user.portal = behind.app.logged_in(&behind.ada).await;
    let landed = user.enter("/item/4").await;
    landed.is(200);
    assert!(landed.body.contains("/item/4"), "{}", landed.body);
}

/// The same at the address with TLS, whose cookies have the prefix `__Host-`.
pub async fn with_tls(behind: &Behind) {
    let mut cookies: Vec<String> = Vec::new();
    let first = over_tls(behind, "/page?x=1", &cookies);
    assert!(first.starts_with("HTTP/1.1 302"), "{:?}: {first}\n{}", behind.program, behind.log());
    let begin = location(&first);
    assert!(begin.starts_with(&format!("https://wiki.localhost:{}/.latchkey/in", behind.https)), "{begin}");
    let there = over_tls(behind, &path(&begin), &cookies);
    keep(&there, &mut cookies);
    let mut portal = behind.app.logged_in(&behind.ada).await;
    let back = path_of(&portal.get(&path(&location(&there))).await);
    let entered = over_tls(behind, &back, &cookies);
    keep(&entered, &mut cookies);
    assert!(location(&entered).ends_with("/page?x=1"), "{:?}: {entered}", behind.program);
    assert!(cookies.iter().any(|pair| pair.starts_with("__Host-latchkey-app=")), "{cookies:?}");
    cookies.push("theme=dark".to_owned());
    behind.wiki.upstream.forget();
    let page = over_tls(behind, "/page?x=1", &cookies);
    assert!(page.starts_with("HTTP/1.1 200"), "{:?}: {page}", behind.program);
    let seen = behind.wiki.upstream.only_request();
    assert_eq!(seen.values("remote-user"), [behind.ada.id.to_string()], "{:?}", behind.program);
    assert_eq!(seen.values("x-forwarded-proto"), ["https"], "{:?}", behind.program);
    assert_eq!(seen.values("host"), [format!("wiki.localhost:{}", behind.https)], "{:?}", behind.program);
    if behind.program.strips_cookies() {
        assert_eq!(seen.values("cookie"), ["theme=dark"], "{:?}", behind.program);
    }
}

/// The response to a navigation.
fn over_tls(behind: &Behind, path: &str, cookies: &[String]) -> String {
    let ca = std::fs::read(behind.certificates.file("ca.pem")).expect("a certificate");
    let ca = Certificate::from_pem(&ca).expect("a certificate");
    let connector = TlsConnector::builder().add_root_certificate(ca).build().expect("a client");
    let stream = TcpStream::connect(("127.0.0.1", behind.https)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
    let mut stream = connector.connect("wiki.localhost", stream).expect("TLS");
    let cookies =
        if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: wiki.localhost:{}\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\
         Sec-Fetch-Site: none\r\n{cookies}Connection: close\r\n\r\n",
        behind.https
    )
    .expect("a request");
    let mut response = Vec::new();
    // Some close without a farewell.
    let _ = stream.read_to_end(&mut response);
    String::from_utf8_lossy(&response).into_owned()
}

fn values<'a>(response: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let head = response.split("\r\n\r\n").next().unwrap_or_default();
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let name = name.to_owned();
    lines.filter(move |(known, _)| known.eq_ignore_ascii_case(&name)).map(|(_, value)| value.trim())
}

#[track_caller]
fn location(response: &str) -> String {
    values(response, "location").next().unwrap_or_else(|| panic!("no redirect: {response}")).to_owned()
}

fn path(url: &str) -> String {
    match url.split_once("://") {
        Some((_, rest)) => format!("/{}", rest.split_once('/').map_or("", |(_, path)| path)),
        None => url.to_owned(),
    }
}

fn keep(response: &str, cookies: &mut Vec<String>) {
    for set in values(response, "set-cookie") {
        let pair = set.split(';').next().unwrap_or_default().to_owned();
        let name = pair.split('=').next().unwrap_or_default().to_owned();
        cookies.retain(|known| known.split('=').next() != Some(name.as_str()));
        if !pair.ends_with('=') {
            cookies.push(pair);
        }
    }
}
