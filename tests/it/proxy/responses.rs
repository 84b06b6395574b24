//! What a client receives.

use super::harness::{End, H, Proxied};
use crate::support::upstream::{After, Upstream};
use std::io::Write as _;

fn answered(response: &[u8]) -> super::harness::Answer {
    let upstream = Upstream::answering_and_closing(response);
    Proxied::to(&upstream).ask(format!("GET / HTTP/1.1\r\n{H}\r\n"))
}

#[test]
fn truncated_bodies_look_like_errors() {
    for truncated in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    ] {
        let answer = answered(truncated.as_bytes());
        assert_ne!(answer.end, End::Open, "{truncated:?}: {answer:?}");
        assert!(!answer.is_complete(), "{truncated:?}: {answer:?}");
        assert!(answer.text.is_empty() || answer.status() == 200, "{answer:?}");
    }
}

#[test]
fn what_arrived_before_the_error_is_delivered() {
    let answer = answered(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this");
    assert_eq!(answer.body(), "only this");
    let answer = answered(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
    assert_eq!(answer.body(), "5\r\nhello\r\n");
}

#[test]
fn a_truncated_body_is_an_error_for_http_1_0_clients_as_well() {
    let truncated = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let upstream = Upstream::scripted(move |_, stream| {
        let _ = stream.write_all(truncated);
        std::thread::sleep(std::time::Duration::from_millis(100));
        After::Close
    });
    let answer = Proxied::to(&upstream).ask(format!("GET / HTTP/1.0\r\n{H}\r\n"));
    assert_eq!(answer.end, End::Reset, "{answer:?}");
}

#[test]
fn http_1_0_clients_receive_no_chunks() {
    let upstream = Upstream::answering(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 9\r\n\r\n",
    );
    let proxied = Proxied::to(&upstream);
    let answer = proxied.ask(format!("GET / HTTP/1.0\r\n{H}\r\n"));
    assert_eq!((answer.body(), answer.end), ("abcde", End::Closed));
    assert!(answer.values("transfer-encoding").is_empty());
    let answer = proxied.get("/");
    assert_eq!(answer.values("transfer-encoding"), ["chunked"]);
    assert!(answer.is_complete() && answer.body().contains("abc"), "{answer:?}");
}

#[test]
fn a_body_until_the_end_of_the_connection_arrives_whole() {
    for head in ["HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"] {
        let answer = answered(format!("{head}until the end").as_bytes());
        assert!(answer.is_complete() && answer.body().contains("until the end"), "{answer:?}");
    }
}

#[test]
fn early_hints_are_skipped() {
    let answer = answered(
        b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
          HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    );
    assert_eq!((answer.status(), answer.body()), (200, "ok"));
    assert!(answer.values("link").is_empty());
}

#[test]
fn responses_without_a_body_keep_their_length() {
    let upstream = Upstream::scripted(|request, stream| {
        let response = match request.target() {
            "/304" => "HTTP/1.1 304 Not Modified\r\ncontent-length: 777\r\netag: \"x\"\r\n\r\n",
            "/204" => "HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n",
            "/empty" => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\ncontent-length: 12345\r\netag: \"x\"\r\n\r\n",
        };
        let _ = stream.write_all(response.as_bytes());
        After::KeepOpen
    });
    let proxied = Proxied::to(&upstream);
    let mut client = proxied.client();
    for (request, status, length) in [
        ("HEAD /", 200, &["12345"][..]),
        ("GET /304", 304, &["777"]),
        ("GET /204", 204, &[]),
        ("GET /empty", 200, &["0"]),
        ("HEAD /", 200, &["12345"]),
    ] {
        client.send(format!("{request} HTTP/1.1\r\n{H}\r\n"));
        let answer = client.read_all();
        assert_eq!(
            (answer.status(), answer.values("content-length").as_slice()),
            (status, length),
            "{request}"
        );
        assert_eq!((answer.body(), answer.end), ("", End::Open), "{request}");
    }
    assert_eq!(upstream.connections(), 2, "only the first response announced a body, which might follow");
}

#[test]
fn cookies_and_40_kib_of_headers_arrive_as_sent() {
    let mut response = String::from("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nset-cookie: a=1\r\n");
    response.push_str("set-cookie: __Host-latchkey-app=x\r\nset-cookie: b=2; Path=/\r\nalt-svc: h3\r\n");
    for number in 0..40 {
        response.push_str(&format!("x-h{number}: {}\r\n", "v".repeat(1000)));
    }
    response.push_str("\r\nok");
    let answer = answered(response.as_bytes());
    assert_eq!((answer.status(), answer.body()), (200, "ok"));
    assert_eq!(answer.values("set-cookie"), ["a=1", "b=2; Path=/"]);
    assert_eq!(answer.values("x-h39")[0].len(), 1000);
    assert_eq!(answer.values("x-accel-buffering"), ["no"]);
    assert_eq!(answer.values("cache-control"), ["private"]);
    assert!(answer.values("alt-svc").is_empty());
}

#[test]
fn an_ambiguous_response_is_a_bad_gateway() {
    for bad in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nabc",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 two hundred\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "",
    ] {
        let answer = answered(bad.as_bytes());
        assert_eq!(answer.status(), 502, "{bad:?}: {answer:?}");
    }
}

#[test]
fn bytes_behind_a_response_answer_no_other_request() {
    let poison =
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON";
    let upstream = Upstream::answering(poison);
    let proxied = Proxied::to(&upstream);
    let mut client = proxied.client();
    for _ in 0..5 {
        client.send(format!("GET / HTTP/1.1\r\n{H}\r\n"));
        let answer = client.read_all();
        assert_eq!((answer.status(), answer.body()), (200, "ok"), "{answer:?}");
    }
}

#[test]
fn redirects_are_not_followed_and_name_the_apps_origin() {
    let upstream = Upstream::scripted(|request, stream| {
        let host = request.values("host")[0].to_owned();
        let port = stream.local_addr().expect("an address").port();
        let to = format!("http://127.0.0.1:{port}/next?{host}");
        let _ = write!(stream, "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        After::KeepOpen
    });
    let answer = Proxied::to(&upstream).get("/");
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.values("location"), ["http://wiki.localhost/next?wiki.localhost"]);
    upstream.only_request();
}
