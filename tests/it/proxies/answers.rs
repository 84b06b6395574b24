//! The answers behind a proxy: those of the contract, for each kind of request.

use super::behind::{Behind, SOCKET_KEY, TRUSTED_SITE, cookie_line};
use crate::front::support::User;
use crate::proxy::harness::Answer;

const NAVIGATES: [&str; 3] = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none"];
const FETCHES: [&str; 3] = ["Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", "Sec-Fetch-Site: same-origin"];

/// A request without a key is sent to the log-in or refused, in the form that its sender understands.
pub fn visitors(behind: &Behind) {
    let opened = behind.get("docs.localhost", "/r?x=1", &NAVIGATES);
    is(behind, &opened, 302);
    let begin = format!("{}/.latchkey/in?to=%2Fr%3Fx%3D1", behind.wiki.origin);
    assert_eq!(opened.values("location"), [begin], "{:?}", behind.program);
    assert!(opened.values("cache-control").concat().contains("no-store"), "{}", opened.text);

    let fetched = behind.get("docs.localhost", "/data", &FETCHES);
    is(behind, &fetched, 401);
    assert_eq!(fetched.values("content-type"), ["application/problem+json"], "{}", fetched.text);
    assert_eq!(fetched.values("www-authenticate"), ["Latchkey realm=\"wiki\""], "{}", fetched.text);
    assert!(fetched.body().contains("log_in") && fetched.values("location").is_empty(), "{}", fetched.text);

    let headers = [
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Dest: document",
        "Sec-Fetch-Site: same-origin",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Length: 3",
    ];
    let posted = behind.ask(behind.head("POST", "docs.localhost", "/save", &headers) + "a=b");
    is(behind, &posted, 401);
    assert!(posted.body().contains("Not sent"), "{}", posted.text);

    let head = behind.ask(behind.head("HEAD", "docs.localhost", "/data", &FETCHES));
    is(behind, &head, 401);
    assert_eq!(head.body(), "", "{}", head.text);

    let unknown = behind.get("unknown.localhost", "/", &NAVIGATES);
    assert!([200, 404, 421].contains(&unknown.status()), "{:?}: {}", behind.program, unknown.text);
    assert!(behind.wiki.upstream.received().is_empty() && behind.board.upstream.received().is_empty());
}

/// A user is let in, or refused with the reason.
pub async fn users(behind: &Behind, user: &mut User) {
    let cookies = cookie_line(&user.at_app);
    let with = |more: &[&'static str]| -> Vec<String> {
        more.iter().map(|line| (*line).to_owned()).chain([cookies.clone()]).collect()
    };
    let get = |path: &str, headers: &[&'static str]| {
        let lines = with(headers);
        behind.get("docs.localhost", path, &lines.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let page = get("/admin/users", &NAVIGATES);
    is(behind, &page, 403);
    assert!(page.body().contains("Ada Lovelace"), "{}", page.text);
    let problem = get("/admin/users", &FETCHES);
    is(behind, &problem, 403);
    assert_eq!(problem.values("content-type"), ["application/problem+json"], "{}", problem.text);

    // The path is passed on as it was sent, and so is a body.
    behind.wiki.upstream.forget();
    let answer = get("/a%20b/c?q=%2Fx&y=/z", &FETCHES);
    is(behind, &answer, 200);
    let seen = behind.wiki.upstream.only_request();
    assert_eq!(seen.target(), "/a%20b/c?q=%2Fx&y=/z", "{:?}", behind.program);
    assert_eq!(seen.values("host"), [format!("docs.localhost:{}", behind.http)]);
    assert_eq!(seen.values("x-forwarded-proto"), ["http"]);
    assert_eq!(seen.values("x-latchkey-doctor"), [""; 0]);

    behind.wiki.upstream.forget();
    let body = "x".repeat(3 << 20);
    let lines = with(&["Sec-Fetch-Site: same-origin", "Content-Length: 3145728"]);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let posted = behind.ask(behind.head("POST", "docs.localhost", "/save", &lines) + &body);
    is(behind, &posted, 200);
    let seen = behind.wiki.upstream.only_request();
    assert_eq!((seen.method(), seen.body.len()), ("POST", body.len()), "{:?}", behind.program);

    let head = behind.ask(behind.head("HEAD", "docs.localhost", "/", &lines[..1]));
    is(behind, &head, 401);
    recent_proof(behind, user).await;
}

/// A rule that wants a recent proof asks for one, once.
async fn recent_proof(behind: &Behind, user: &mut User) {
    user.at_app.get("/recent").await.is(200);
    behind.app.age_confirmations();
    behind.app.db.execute("UPDATE session_keys SET proved_at = proved_at - interval '1 hour'");
    // Cached until the next change.
    let answer = user.at_app.get("/recent").await;
    if answer.status == 302 {
        assert!(answer.header("location").is_some_and(|to| to.contains("/.latchkey/in?fresh=1")));
    }
}

/// Unsafe methods, websockets and preflights of other sites.
pub async fn other_sites(behind: &Behind, user: &User) {
    let cookies = cookie_line(&user.at_app);
    let own = format!("Origin: http://docs.localhost:{}", behind.http);
    for origin in ["Origin: https://evil.example", "Origin: null"] {
        behind.wiki.upstream.forget();
        let headers = [origin, "Sec-Fetch-Site: cross-site", "Content-Length: 0", cookies.as_str()];
        is(behind, &behind.ask(behind.head("POST", "docs.localhost", "/save", &headers)), 403);
        is(behind, &behind.ask(socket(behind, &[origin, &cookies])), 403);
        // Without the header that says so, as Traefik asks.
        let headers = [origin, "Sec-Fetch-Mode: websocket", "Sec-WebSocket-Version: 13", cookies.as_str()];
        is(behind, &behind.get("docs.localhost", "/ws", &headers), 403);
        assert!(behind.wiki.upstream.received().is_empty(), "{:?}", behind.program);
    }
    let opened = behind.ask(socket(behind, &[&own, &cookies]));
    is(behind, &opened, 101);
    assert!(opened.text.contains("hello"), "{:?}: {}", behind.program, opened.text);
    assert_eq!(behind.wiki.upstream.only_request().values("remote-user"), [behind.ada.id.to_string()]);

    let preflight = |origin: &str| {
        let origin = format!("Origin: {origin}");
        let headers = [origin.as_str(), "Access-Control-Request-Method: PUT", "Sec-Fetch-Mode: cors"];
        behind.ask(behind.head("OPTIONS", "board.localhost", "/items", &headers))
    };
    behind.board.upstream.forget();
    is(behind, &preflight("https://evil.example"), 403);
    assert!(behind.board.upstream.received().is_empty());
    is(behind, &preflight(TRUSTED_SITE), 200);
    let seen = behind.board.upstream.only_request();
    assert!(seen.values("x-board-user").concat().is_empty(), "{seen:?}");
    let origin = format!("Origin: {TRUSTED_SITE}");
    let refused = behind.get("board.localhost", "/items", &[&origin, "Sec-Fetch-Mode: cors"]);
    is(behind, &refused, 401);
    assert_eq!(refused.values("access-control-allow-origin"), [TRUSTED_SITE], "{}", refused.text);
}

/// A connection that became HTTP/2 (h2c) would carry requests that are not decided, with any identity.
pub async fn other_upgrades(behind: &Behind, user: &User) {
    let cookies = cookie_line(&user.at_app);
    for upgrades in
        [&["Upgrade: h2c"][..], &["Upgrade: h2c", "Upgrade: websocket"], &["Upgrade: h2c, websocket"]]
    {
        behind.wiki.upstream.forget();
        let mut headers = vec!["Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk", &cookies];
        headers.extend(upgrades);
        let answer = behind.get("docs.localhost", "/", &headers);
        for seen in behind.wiki.upstream.received() {
            let kept: Vec<_> =
                seen.values("upgrade").into_iter().filter(|value| *value != "websocket").collect();
            assert!(kept.is_empty(), "{:?}: {seen:?}", behind.program);
            assert!(seen.values("http2-settings").is_empty(), "{:?}: {seen:?}", behind.program);
        }
        assert!(![502, 503].contains(&answer.status()), "{:?}: {}", behind.program, answer.text);
    }
}

/// The handshake of a websocket.
pub fn socket(behind: &Behind, headers: &[&str]) -> String {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "GET /ws HTTP/1.1\r\nHost: docs.localhost:{}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: {SOCKET_KEY}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n",
        behind.http
    )
}

#[track_caller]
pub fn is(behind: &Behind, answer: &Answer, status: u16) {
    assert_eq!(answer.status(), status, "{:?}: {}\n{}", behind.program, answer.text, behind.log());
}
