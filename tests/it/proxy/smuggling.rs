//! Requests that two servers could read differently: the upstream never sees a second one.

use super::harness::{H, Proxied};
use crate::support::upstream::{OK, Upstream};

/// Bytes that follow a request and must never arrive as a request.
const SECOND: &str = "GET /smuggled HTTP/1.1\r\nHost: wiki.localhost\r\n\r\n";

#[test]
fn the_upstream_never_sees_a_second_request() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    let hidden = format!("{:x}\r\n{SECOND}\r\n0\r\n\r\n", SECOND.len());
    let sized = format!("Content-Length: {}\r\n", SECOND.len());
    let cases = [
        ("both lengths", format!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SECOND}")),
        (
            "both lengths, turned",
            format!("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{SECOND}"),
        ),
        ("two lengths", format!("Content-Length: 0\r\n{sized}\r\n{SECOND}")),
        ("equal lengths", format!("{sized}{sized}\r\n{SECOND}")),
        ("list of lengths", format!("Content-Length: 0, {}\r\n\r\n{SECOND}", SECOND.len())),
        ("signed length", format!("Content-Length: +0\r\n\r\n{SECOND}")),
        ("hexadecimal length", format!("Content-Length: 0x0\r\n\r\n{SECOND}")),
        ("another coding first", format!("Transfer-Encoding: gzip, chunked\r\n\r\n{hidden}")),
        ("coding with parameter", format!("Transfer-Encoding: chunked;q=1\r\n\r\n{hidden}")),
        ("vertical tab", format!("Transfer-Encoding: \x0bchunked\r\n\r\n{hidden}")),
        ("space before the colon", format!("Transfer-Encoding : chunked\r\n\r\n{hidden}")),
        ("two codings", format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n{hidden}")),
        ("identity", format!("Transfer-Encoding: identity\r\n{sized}\r\n{SECOND}")),
        ("folded line", format!("X-A: 1\r\n Content-Length: 0\r\n\r\n{SECOND}")),
        ("bare CR", format!("X-A: 1\rX-B: 2\r\n\r\n{SECOND}")),
        ("NUL", format!("X-A: a\0b\r\n\r\n{SECOND}")),
        ("negative chunk", format!("Transfer-Encoding: chunked\r\n\r\n-1\r\n{SECOND}")),
        ("0x chunk", format!("Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n{SECOND}")),
        ("huge chunk", format!("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{SECOND}")),
        ("two hosts", format!("Host: secret.localhost\r\n\r\n{SECOND}")),
        (
            "websocket with a body",
            format!("Upgrade: websocket\r\nConnection: upgrade\r\n{sized}\r\n{SECOND}"),
        ),
        ("websocket and more", format!("Upgrade: websocket\r\nConnection: upgrade\r\n\r\n{SECOND}")),
        (
            "h2c",
            format!(
                "Upgrade: h2c\r\nConnection: upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\n{sized}\r\n{SECOND}"
            ),
        ),
    ];
    for (name, rest) in cases {
        upstream.forget();
        let method = if name.starts_with("websocket") || name == "NUL" { "GET" } else { "POST" };
        let answer = proxied.ask(format!("{method} /first HTTP/1.1\r\n{H}{rest}"));
        let seen: Vec<String> = upstream.received().iter().map(|seen| seen.line.clone()).collect();
        assert!(!seen.iter().any(|line| line.contains("/smuggled")), "{name}: {seen:?} {answer:?}");
        assert!(answer.status() >= 400 || answer.text.is_empty() || seen.len() == 1, "{name}: {answer:?}");
    }
}

#[test]
fn a_name_with_an_underscore_frames_nothing() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    let answer =
        proxied.ask(format!("POST / HTTP/1.1\r\n{H}Content_Length: 5\r\nContent-Length: 2\r\n\r\nhi"));
    assert_eq!(answer.status(), 200);
    let seen = upstream.only_request();
    assert_eq!((seen.body.as_slice(), seen.values("content-length")), (&b"hi"[..], vec!["2"]));
    assert!(seen.values("content_length").is_empty());
}

#[test]
fn bodies_that_look_like_requests_stay_bodies() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    let mut client = proxied.client();
    for round in 0..4 {
        let text = if round % 2 == 0 {
            format!("POST /{round} HTTP/1.1\r\n{H}Content-Length: {}\r\n\r\n{SECOND}", SECOND.len())
        } else {
            format!(
                "POST /{round} HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{SECOND}\r\n0\r\n\r\n",
                SECOND.len()
            )
        };
        client.send(text);
        assert_eq!(client.read_all().status(), 200);
    }
    let seen = upstream.received();
    assert_eq!(seen.iter().map(|seen| seen.target()).collect::<Vec<_>>(), ["/0", "/1", "/2", "/3"]);
    assert!(seen.iter().all(|seen| seen.body == SECOND.as_bytes()));
}
