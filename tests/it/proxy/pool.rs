//! Connections that are used again.

use std::io::Write as _;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use super::harness::{H, Proxied, app_at};
use crate::support::upstream::{After, OK, Upstream};

#[test]
fn one_connection_serves_many_requests() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    let mut client = proxied.client();
    for _ in 0..20 {
        client.send(format!("GET / HTTP/1.1\r\n{H}\r\n"));
        assert_eq!(client.read_for(Duration::from_secs(5), Duration::from_millis(20)).status(), 200);
    }
    assert_eq!(upstream.connections(), 1);
}

/// A server that closes each connection after one response. A connection may close while a request is on its way: GET
/// is then sent again, and POST, which may have had an effect, is answered with 502 and never arrives twice.
#[test]
fn upstreams_that_close_idle_connections_cause_no_failed_get_and_no_second_post() {
    let upstream = Upstream::scripted(|_, stream| {
        let _ = stream.write_all(OK);
        After::Close
    });
    let proxied = Proxied::to(&upstream);
    let work = |client: usize| {
        let port = proxied.port;
        let (method, body) = if client.is_multiple_of(2) { ("GET", "") } else { ("POST", "x") };
        thread::spawn(move || {
            let mut connection = super::harness::Client::connect(port);
            let mut answered = Vec::new();
            for request in 0..50 {
                let target = format!("/{client}/{request}");
                let length = body.len();
                connection
                    .send(format!("{method} {target} HTTP/1.1\r\n{H}Content-Length: {length}\r\n\r\n{body}"));
                let answer = connection.read_for(Duration::from_secs(5), Duration::from_millis(5));
                assert!(answer.status() == 200 || method == "POST" && answer.status() == 502, "{answer:?}");
                if method == "POST" {
                    answered.push((target, answer.status()));
                }
            }
            answered
        })
    };
    let clients: Vec<_> = (0..8).map(work).collect();
    let posts: Vec<_> =
        clients.into_iter().flat_map(|client| client.join().expect("no failed GET")).collect();
    let received = upstream.received();
    for (target, status) in &posts {
        let arrived = received.iter().filter(|seen| seen.target() == target).count();
        assert!(
            arrived <= 1 && (*status == 502 || arrived == 1),
            "{target}: {status}, arrived {arrived} times"
        );
    }
    let failed = posts.iter().filter(|(_, status)| *status == 502).count();
    assert!(failed <= posts.len() / 10, "{failed} of {} POST failed", posts.len());
}

/// It reads the second request on a connection and closes without an answer: the request may have had an effect.
fn dies_on_the_second() -> Upstream {
    Upstream::scripted(|request, stream| {
        if request.earlier > 0 {
            return After::Close;
        }
        let _ = stream.write_all(OK);
        After::KeepOpen
    })
}

#[test]
fn a_request_without_effect_is_repeated_once_on_a_new_connection() {
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        let upstream = dies_on_the_second();
        let proxied = Proxied::to(&upstream);
        assert_eq!(proxied.get("/first").status(), 200);
        let answer = proxied.ask(format!("{method} /second HTTP/1.1\r\n{H}Connection: close\r\n\r\n"));
        assert_eq!(answer.status(), 200, "{method}");
        let seen: Vec<String> = upstream.received().iter().map(|seen| seen.target().to_owned()).collect();
        assert_eq!(seen, ["/first", "/second", "/second"], "{method}");
    }
}

#[test]
fn a_request_that_may_have_had_an_effect_is_never_repeated() {
    for request in ["POST /second", "PATCH /second"] {
        let upstream = dies_on_the_second();
        let proxied = Proxied::to(&upstream);
        assert_eq!(proxied.get("/first").status(), 200);
        let answer =
            proxied.ask(format!("{request} HTTP/1.1\r\n{H}Content-Length: 2\r\nConnection: close\r\n\r\nhi"));
        assert_eq!(answer.status(), 502, "{request}");
        assert_eq!(upstream.received().len(), 2, "{request}");
    }
    let upstream = dies_on_the_second();
    let proxied = Proxied::to(&upstream);
    assert_eq!(proxied.get("/first").status(), 200);
    let put = format!("PUT /second HTTP/1.1\r\n{H}Content-Length: 2\r\nConnection: close\r\n\r\nhi");
    assert_eq!(proxied.ask(put).status(), 502);
    assert_eq!(upstream.received().len(), 2, "a body is not sent twice");
}

#[test]
fn an_answer_that_has_begun_is_not_asked_for_again() {
    let upstream = Upstream::scripted(|request, stream| {
        let _ = stream.write_all(if request.earlier > 0 { b"HTTP/1.1 2" } else { OK });
        if request.earlier > 0 { After::Close } else { After::KeepOpen }
    });
    let proxied = Proxied::to(&upstream);
    assert_eq!(proxied.get("/first").status(), 200);
    assert_eq!(proxied.get("/second").status(), 502);
    assert_eq!(upstream.received().len(), 2);
}

#[test]
fn a_post_takes_only_a_connection_that_was_just_used() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    let post = format!("POST / HTTP/1.1\r\n{H}Content-Length: 2\r\nConnection: close\r\n\r\nhi");
    assert_eq!(proxied.ask(&post).status(), 200);
    assert_eq!(proxied.ask(&post).status(), 200);
    assert_eq!(upstream.connections(), 1);
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(proxied.ask(&post).status(), 200);
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn an_upstream_says_how_long_it_keeps_connections() {
    for (head, connections) in
        [("keep-alive: timeout=1\r\n", 2), ("connection: close\r\n", 2), ("keep-alive: timeout=9\r\n", 1)]
    {
        let upstream =
            Upstream::answering(format!("HTTP/1.1 200 OK\r\n{head}content-length: 2\r\n\r\nok").as_bytes());
        let proxied = Proxied::to(&upstream);
        assert_eq!((proxied.get("/").status(), proxied.get("/").status()), (200, 200));
        assert_eq!(upstream.connections(), connections, "{head}");
    }
}

#[test]
fn a_connection_that_was_authenticated_serves_no_other_user() {
    for (response, request) in [
        ("www-authenticate: Basic, NTLM\r\n", ""),
        ("www-authenticate: Negotiate\r\n", ""),
        ("", "Authorization: NTLM TlRMTVNTUAAB\r\n"),
        ("", "Authorization: negotiate YII\r\n"),
    ] {
        let text = format!("HTTP/1.1 401 Unauthorized\r\n{response}content-length: 2\r\n\r\nno");
        let upstream = Upstream::answering(text.as_bytes());
        let proxied = Proxied::to(&upstream);
        for _ in 0..2 {
            assert_eq!(proxied.ask(format!("GET / HTTP/1.1\r\n{H}{request}\r\n")).status(), 401);
        }
        assert_eq!(upstream.connections(), 2, "{response}{request}");
    }
}

#[test]
fn idle_connections_are_closed_and_not_counted_any_more() {
    let upstream =
        Upstream::answering(b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=2\r\ncontent-length: 2\r\n\r\nok");
    let proxied = Proxied::to(&upstream);
    assert_eq!(proxied.get("/").status(), 200);
    assert_eq!(proxied.shared.connections(), 1);
    for _ in 0..60 {
        thread::sleep(Duration::from_millis(100));
        if proxied.shared.connections() == 0 {
            return;
        }
    }
    panic!("the idle connection stays");
}

#[test]
fn an_upstream_that_is_not_there_is_a_bad_gateway() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("its number").port();
    drop(free);
    assert_eq!(Proxied::with(app_at(&format!("http://127.0.0.1:{port}"))).get("/").status(), 502);
    assert_eq!(Proxied::with(app_at("http://nowhere.invalid:80")).get("/").status(), 502);
}

#[test]
fn a_name_is_resolved() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::with(app_at(&format!("http://localhost:{}", upstream.port)));
    assert_eq!(proxied.get("/").status(), 200);
}
