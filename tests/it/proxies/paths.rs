//! What is open is no way to what is not, however the address is written.

use super::behind::Behind;

/// Without a key, nothing but `/public` is let in.
pub fn open_paths(behind: &Behind) {
    for (path, headers) in [
        ("/admin", &["X-Forwarded-Uri: /public"][..]),
        ("/admin", &["X-Original-URL: http://docs.localhost/public"]),
        ("/admin", &["X-Original-URL: /public", "X-Rewrite-URL: /public"]),
        ("/admin", &["X-Forwarded-Host: board.localhost", "X-Forwarded-Uri: /public"]),
        ("/admin", &["X-Forwarded-Method: OPTIONS", "X-Original-Method: OPTIONS"]),
        ("/admin?/public", &[]),
        ("/admin?x=/public&X-Forwarded-Uri=/public", &[]),
        ("/admin#/public", &[]),
        ("/public/..%2fadmin", &[]),
        ("/public/../admin", &[]),
        ("/public/%2e%2e/admin", &[]),
        ("/public/..;/admin", &[]),
        ("/public%2f..%2fadmin", &[]),
        ("//admin", &[]),
        ("/%61dmin", &[]),
        ("/admin;x", &[]),
        ("/Admin", &[]),
        ("/%2561dmin", &[]),
        ("/public\\..\\admin", &[]),
        ("/.latchkey/../admin", &[]),
        ("/.latchkey/%2e%2e/admin", &[]),
        ("/.latchkey/in/../../admin", &[]),
        ("/.latchkey/echo/../../admin", &[]),
        ("/.latchkey/echo/..%2f..%2fadmin", &[]),
        ("/.latchkey/decide", &[]),
        ("/.LATCHKEY/in/../admin", &[]),
    ] {
        behind.wiki.upstream.forget();
        behind.board.upstream.forget();
        let answer = behind.get("docs.localhost", path, headers);
        let received: Vec<_> =
            behind.wiki.upstream.received().into_iter().chain(behind.board.upstream.received()).collect();
        assert!(received.is_empty(), "{:?} {path} {headers:?}: {received:?}", behind.program);
        assert!(answer.status() >= 302, "{:?} {path} {headers:?}: {}", behind.program, answer.text);
    }
    behind.wiki.upstream.forget();
    assert_eq!(behind.get("docs.localhost", "/public/x", &[]).status(), 200);
    assert_eq!(behind.wiki.upstream.only_request().target(), "/public/x");
}

/// A target with a host of its own is judged as that host, or refused.
pub fn absolute_targets(behind: &Behind) {
    let port = behind.http;
    for (target, host) in [("board.localhost", "docs.localhost"), ("docs.localhost", "board.localhost")] {
        behind.wiki.upstream.forget();
        behind.board.upstream.forget();
        let request = format!(
            "GET http://{target}:{port}/private HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        );
        let answer = behind.ask(request);
        assert!(answer.status() >= 302, "{:?} {target}: {}", behind.program, answer.text);
        assert!(behind.wiki.upstream.received().is_empty() && behind.board.upstream.received().is_empty());
        // What is open there may be answered, by that app alone and under its own name.
        let request = format!(
            "GET http://{target}:{port}/public HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        );
        behind.ask(request);
        for (wiki, name) in [(&behind.wiki, "docs.localhost"), (&behind.board, "board.localhost")] {
            for seen in wiki.upstream.received() {
                assert_eq!(seen.values("host"), [format!("{name}:{port}")], "{:?} {seen:?}", behind.program);
            }
        }
    }
}
