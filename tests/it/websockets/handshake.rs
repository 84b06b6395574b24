//! Which handshakes open a websocket, and which are refused.

use std::fs;
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::front::support::{User, register, wiki};
use crate::proxy::harness::{Client, End, H, HOST, Proxied, app_at};
use crate::proxy::tls::{ECHO_SERVER, TlsServer};
use crate::support::app::TestApp;
use crate::support::certificates::Certificates;
use crate::support::upstream::{After, OK, Received, Upstream};
use crate::websockets::client::{Frame, HANDSHAKE, WebSocket, echo_app};
use crate::websockets::support::{open_as, origin_header};

#[test]
fn the_app_receives_the_handshake_with_the_identity_and_nothing_of_ours() {
    let upstream = echo_app();
    let proxied = Proxied::named(app_at(&upstream.url()), "Céline Дима\r\nX: y", 64);
    let forged = "Remote-Name: root\r\nX-Forwarded-Host: other\r\nKeep-Alive: 5\r\n\
                  Origin: http://wiki.localhost\r\nCookie: theme=dark; latchkey-app=secret\r\n";
    let mut socket = WebSocket::open(proxied.port, HOST, "/socket", forged).expect("an answer 101");
    socket.send(&Frame::text("hello"));
    assert_eq!(socket.read(), Ok(Frame::text("hello")));
    let seen = upstream.only_request();
    assert_eq!(seen.line, "GET /socket HTTP/1.1");
    assert_eq!((seen.values("upgrade"), seen.values("connection")), (vec!["websocket"], vec!["upgrade"]));
    assert_eq!(seen.values("sec-websocket-key"), ["dGhlIHNhbXBsZSBub25jZQ=="]);
    assert_eq!(seen.values("sec-websocket-version"), ["13"]);
    assert_eq!(seen.values("remote-name"), ["C%C3%A9line %D0%94%D0%B8%D0%BC%D0%B0%0D%0AX: y"]);
    assert_eq!(seen.values("remote-email"), ["ada@example.org"]);
    assert_eq!(seen.values("x-forwarded-host"), [HOST]);
    assert_eq!(seen.values("origin"), ["http://wiki.localhost"]);
    assert_eq!(seen.values("cookie"), ["theme=dark"]);
    assert!(seen.values("x").is_empty() && seen.values("keep-alive").is_empty());
    let opened = socket.opened.to_ascii_lowercase();
    for header in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-accept: s3pplmbi"] {
        assert!(opened.contains(header), "{opened}");
    }
    assert!(!opened.contains("content-length") && !opened.contains("transfer-encoding"), "{opened}");
}

#[test]
fn the_answer_of_an_app_that_refuses_is_passed_on() {
    let long = "x".repeat(300_000);
    let refusals: [(u16, String, Option<&str>); 5] = [
        (403, "content-length: 5\r\n\r\nno-go".to_owned(), Some("no-go")),
        (426, "sec-websocket-version: 13, 8\r\ncontent-length: 0\r\n\r\n".to_owned(), Some("")),
        (302, "location: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_owned(), Some("")),
        (404, "transfer-encoding: chunked\r\n\r\n4\r\nnone\r\n0\r\n\r\n".to_owned(), None),
        (200, format!("content-length: {}\r\n\r\n{long}", long.len()), Some(long.as_str())),
    ];
    for (status, rest, body) in refusals {
        let response = format!("HTTP/1.1 {status} Reason\r\n{rest}");
        let upstream = Upstream::answering(response.as_bytes());
        let proxied = Proxied::to(&upstream);
        let answer = WebSocket::open(proxied.port, HOST, "/socket", "").err().expect("a refusal");
        assert_eq!((answer.status(), answer.end), (status, End::Closed), "{}", answer.head());
        assert!(answer.is_complete(), "{}", answer.head());
        if let Some(body) = body {
            assert_eq!(answer.body(), body);
        }
        assert_eq!(answer.values("connection"), ["close"], "{}", answer.head());
        assert!(answer.values("upgrade").is_empty() && answer.values("x-latchkey-error").is_empty());
        match status {
            426 => assert_eq!(answer.values("sec-websocket-version"), ["13, 8"]),
            302 => assert_eq!(answer.values("location"), ["/elsewhere"]),
            _ => {}
        }
        assert_eq!((upstream.received().len(), proxied.shared.tunnels()), (1, 0));
    }
}

#[test]
fn a_refusal_that_is_cut_off_does_not_look_complete() {
    let upstream =
        Upstream::answering_and_closing(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 100\r\n\r\npart");
    let proxied = Proxied::to(&upstream);
    let answer = WebSocket::open(proxied.port, HOST, "/socket", "").err().expect("a refusal");
    assert_eq!(answer.status(), 403);
    assert!(!answer.is_complete(), "{answer:?}");
}

#[test]
fn an_app_that_does_not_answer_this_handshake_is_a_bad_gateway() {
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    for headers in [
        upgrade.to_owned(),
        format!("{upgrade}Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"),
        format!("{upgrade}{accept}{accept}"),
        format!("Connection: Upgrade\r\n{accept}"),
        format!("Upgrade: websocket\r\n{accept}"),
        format!("Upgrade: h2c\r\nConnection: Upgrade\r\n{accept}"),
    ] {
        let response = format!("HTTP/1.1 101 Switching Protocols\r\n{headers}\r\n");
        let upstream = Upstream::answering(response.as_bytes());
        let proxied = Proxied::to(&upstream);
        let answer = WebSocket::open(proxied.port, HOST, "/socket", "").err().expect("a refusal");
        assert_eq!((answer.status(), answer.end), (502, End::Closed), "{headers}");
        assert_eq!(proxied.shared.tunnels(), 0);
    }
    let upstream = Upstream::answering_and_closing(b"");
    let answer = WebSocket::open(Proxied::to(&upstream).port, HOST, "/socket", "").err();
    assert_eq!(answer.map(|answer| answer.status()), Some(502));
    let proxied = Proxied::with(app_at("http://127.0.0.1:1"));
    let answer = WebSocket::open(proxied.port, HOST, "/socket", "").err().expect("a refusal");
    assert_eq!(answer.status(), 502);
}

#[test]
fn an_app_that_does_not_answer_in_time_is_a_gateway_timeout() {
    let upstream = Upstream::scripted(|_, _| {
        thread::sleep(Duration::from_secs(3));
        After::Close
    });
    let proxied = Proxied::with_app(&upstream, |app| app.limits.head = Duration::from_millis(300));
    let since = Instant::now();
    let answer = WebSocket::open(proxied.port, HOST, "/socket", "").err().expect("a refusal");
    assert_eq!(answer.status(), 504);
    assert!((300..2000).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
    assert_eq!(proxied.shared.tunnels(), 0);
}

#[test]
fn only_the_handshake_of_the_rfc_reaches_the_app() {
    let upstream = echo_app();
    let proxied = Proxied::to(&upstream);
    let second = "GET /smuggled HTTP/1.1\r\nHost: wiki.localhost\r\n\r\n";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let connection = "Connection: upgrade\r\n";
    let websocket = "Upgrade: websocket\r\n";
    for (why, request) in [
        ("method", format!("POST / HTTP/1.1\r\n{H}{HANDSHAKE}\r\n")),
        ("method", format!("HEAD / HTTP/1.1\r\n{H}{HANDSHAKE}\r\n")),
        ("version", format!("GET / HTTP/1.0\r\n{H}{HANDSHAKE}\r\n")),
        ("no Connection", format!("GET / HTTP/1.1\r\n{H}{websocket}{key}\r\n")),
        ("closes", format!("GET / HTTP/1.1\r\n{H}{websocket}Connection: upgrade, close\r\n{key}\r\n")),
        ("no key", format!("GET / HTTP/1.1\r\n{H}{websocket}{connection}\r\n")),
        ("two keys", format!("GET / HTTP/1.1\r\n{H}{HANDSHAKE}{key}\r\n")),
        ("a list", format!("GET / HTTP/1.1\r\n{H}Upgrade: h2c, websocket\r\n{connection}{key}\r\n")),
        ("a version", format!("GET / HTTP/1.1\r\n{H}Upgrade: websocket/13\r\n{connection}{key}\r\n")),
        ("two protocols", format!("GET / HTTP/1.1\r\n{H}Upgrade: h2c\r\n{HANDSHAKE}\r\n")),
        ("a body", format!("GET / HTTP/1.1\r\n{H}{HANDSHAKE}Content-Length: 5\r\n\r\nhello")),
        (
            "a chunked body",
            format!(
                "GET / HTTP/1.1\r\n{H}{HANDSHAKE}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            ),
        ),
        ("a body that is a request", {
            format!("GET / HTTP/1.1\r\n{H}{HANDSHAKE}Content-Length: {}\r\n\r\n{second}", second.len())
        }),
        ("another request behind it", format!("GET / HTTP/1.1\r\n{H}{HANDSHAKE}\r\n{second}")),
        ("a frame behind it", format!("GET / HTTP/1.1\r\n{H}{HANDSHAKE}\r\n\u{1}\u{1}x")),
        ("much behind it", format!("GET / HTTP/1.1\r\n{H}{HANDSHAKE}\r\n{}", "x".repeat(20_000))),
    ] {
        let answer = proxied.ask(&request);
        assert_eq!((answer.status(), answer.end), (400, End::Closed), "{why}: {answer:?}");
    }
    assert!(upstream.received().is_empty(), "{:?}", upstream.received());
    assert_eq!(proxied.shared.tunnels(), 0);
}

#[test]
fn a_client_that_sends_before_the_response_is_refused() {
    let upstream = Upstream::scripted(|request, stream| {
        thread::sleep(Duration::from_millis(300));
        WebSocket::accept(request, stream, "").echo();
        After::Close
    });
    let proxied = Proxied::to(&upstream);
    let mut client = Client::connect(proxied.port);
    client.send(format!("GET / HTTP/1.1\r\n{H}{HANDSHAKE}\r\n"));
    thread::sleep(Duration::from_millis(100));
    client.send(Frame::text("too early").bytes(true));
    let answer = WebSocket::opened(client).err().expect("a refusal");
    assert_eq!((answer.status(), answer.end), (400, End::Closed));
    assert_eq!(proxied.shared.tunnels(), 0);
}

#[test]
fn another_protocol_is_an_offer_that_is_ignored() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    for offered in [
        "Upgrade: h2c\r\nConnection: upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\n",
        "Upgrade: TLS/1.2\r\nConnection: upgrade\r\n",
    ] {
        upstream.forget();
        let answer = proxied.ask(format!("GET /page HTTP/1.1\r\n{H}{offered}\r\n"));
        assert_eq!(answer.status(), 200);
        assert!(!answer.values("connection").contains(&"upgrade"), "{answer:?}");
        let seen = upstream.only_request();
        assert!(seen.values("upgrade").is_empty() && seen.values("http2-settings").is_empty());
    }
}

#[test]
fn the_portal_ignores_a_handshake_and_answers_as_usual() {
    let upstream = echo_app();
    let proxied = Proxied::to(&upstream);
    for behind in ["", "GET /again HTTP/1.1\r\nHost: other.localhost\r\n\r\n"] {
        let answer =
            proxied.ask(format!("GET /page HTTP/1.1\r\nHost: other.localhost\r\n{HANDSHAKE}\r\n{behind}"));
        assert_eq!((answer.status(), answer.body(), answer.end), (200, "portal", End::Closed));
    }
    assert!(upstream.received().is_empty());
}

#[test]
fn an_upstream_with_tls_carries_websockets_too() {
    let certificates = Certificates::new();
    let ca = fs::read_to_string(certificates.file("ca.pem")).expect("a file");
    for (name, is_trusted) in [("right", true), ("stranger", false)] {
        let server = TlsServer::run(ECHO_SERVER, &certificates, name);
        let proxied = Proxied::with(server.app(Some(&ca)));
        let opened = WebSocket::open(proxied.port, HOST, "/socket", "");
        if !is_trusted {
            assert_eq!(opened.err().map(|answer| answer.status()), Some(502));
            continue;
        }
        let mut socket = opened.expect("an answer 101");
        for length in [3, 70_000, 3_000_000] {
            let frame = Frame::binary(vec![7; length]);
            let mut writer = socket.stream.try_clone().expect("a socket");
            let bytes = frame.bytes(true);
            let sending = thread::spawn(move || writer.write_all(&bytes).expect("an open connection"));
            assert_eq!(socket.read(), Ok(frame));
            sending.join().expect("no panic");
        }
        socket.send(&Frame::close(1000, ""));
        assert_eq!(socket.read(), Ok(Frame::close(1000, "")));
        assert_eq!(socket.end(), End::Closed);
    }
}

#[actix_web::test]
async fn the_rules_decide_about_websockets_as_about_every_request() {
    let app = TestApp::spawn();
    let wiki = register(&app, "wiki", echo_app(), |app| {
        app.rules = vec![latchkey::apps::Rule::everywhere(latchkey::apps::Access::SignedIn)];
    })
    .await;
    let ada = app.ada().await;
    let origin = origin_header(&wiki);
    let visitor = User::new(&app, &wiki);
    let refused = open_as(&wiki, &visitor, &origin).err().expect("a refusal");
    assert_eq!((refused.status(), refused.end), (401, End::Closed));
    assert_eq!(refused.values("www-authenticate"), ["Latchkey realm=\"wiki\""]);
    assert!(refused.body().contains("urn:latchkey:log-in"), "{refused:?}");
    let user = User::with_key(&app, &wiki, &ada).await;
    for other in ["Origin: https://evil.example\r\n", "Origin: null\r\n"] {
        let refused = open_as(&wiki, &user, other).err().expect("a refusal");
        assert_eq!(refused.status(), 403, "{other:?}");
    }
    assert!(wiki.upstream.received().is_empty());
    let mut socket = open_as(&wiki, &user, &origin).expect("an answer 101");
    socket.send(&Frame::text("hello"));
    assert_eq!(socket.read(), Ok(Frame::text("hello")));
    let seen: Received = wiki.upstream.only_request();
    assert_eq!(seen.values("remote-email"), [ada.email]);
    assert!(seen.values("cookie").is_empty(), "{seen:?}");
    let id = seen.values("remote-user").len();
    assert_eq!(id, 1);
}

#[actix_web::test]
async fn the_portal_and_our_own_paths_answer_a_handshake_as_any_request() {
    let app = TestApp::spawn();
    let wiki = wiki(&app).await;
    let port: u16 = app.origin.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let host = app.origin.strip_prefix("http://").expect("an origin");
    let page = WebSocket::open(port, host, "/login", "").err().expect("a page");
    assert_eq!((page.status(), page.end), (200, End::Closed));
    assert!(page.is_complete() && page.body().contains("<html"), "{}", page.head());
    let user = User::new(&app, &wiki);
    let host = wiki.origin.strip_prefix("http://").expect("an origin");
    let ours = WebSocket::open(port, host, "/.latchkey/nothing", "").err().expect("a page");
    assert_eq!((ours.status(), ours.end), (404, End::Closed));
    drop(user);
    assert!(wiki.upstream.received().is_empty());
}
