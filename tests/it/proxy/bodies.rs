//! Large bodies, both ways.

use std::io::{Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use super::harness::{End, H, Proxied};
use crate::support::upstream::{After, OK, Reads, Upstream};

const LARGE: usize = 20 * 1024 * 1024;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[test]
fn large_uploads_arrive_unchanged() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    let body = pattern(LARGE);
    let since = Instant::now();
    for chunked in [false, true] {
        let mut client = proxied.client();
        if chunked {
            client.send(format!("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n"));
            for part in body.chunks(100_000) {
                client.send(format!("{:x}\r\n", part.len()));
                client.send(part);
                client.send("\r\n");
            }
            client.send("0\r\n\r\n");
        } else {
            client.send(format!("POST / HTTP/1.1\r\n{H}Content-Length: {LARGE}\r\n\r\n"));
            client.send(&body);
        }
        let answer = client.read_all();
        assert_eq!((answer.status(), answer.end), (200, End::Open), "{answer:?}");
        // The connection goes on.
        client.send(format!("GET /next HTTP/1.1\r\n{H}\r\n"));
        assert_eq!(client.read_all().status(), 200);
    }
    let seen = upstream.received();
    assert_eq!(seen.len(), 4);
    assert!(seen[0].body == body && seen[2].body == body);
    assert_eq!(seen[0].values("content-length"), [LARGE.to_string()]);
    assert_eq!(seen[2].values("transfer-encoding"), ["chunked"]);
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
}

#[test]
fn large_downloads_arrive_unchanged() {
    let upstream = Upstream::scripted(|request, stream| {
        let body = pattern(LARGE);
        let chunked = request.target() == "/chunked";
        let framing =
            if chunked { "transfer-encoding: chunked".into() } else { format!("content-length: {LARGE}") };
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
        for part in body.chunks(70_000) {
            if chunked {
                let _ = write!(stream, "{:x}\r\n", part.len());
            }
            let _ = stream.write_all(part);
            if chunked {
                let _ = stream.write_all(b"\r\n");
            }
        }
        if chunked {
            let _ = stream.write_all(b"0\r\n\r\n");
        }
        After::KeepOpen
    });
    let proxied = Proxied::to(&upstream);
    for (path, version) in [("/sized", "1.1"), ("/chunked", "1.0"), ("/sized", "1.0")] {
        let mut client = proxied.client();
        client.send(format!("GET {path} HTTP/{version}\r\n{H}Connection: close\r\n\r\n"));
        let mut bytes = Vec::new();
        client.0.read_to_end(&mut bytes).expect("an orderly end");
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        assert!(bytes[head..] == pattern(LARGE), "{path} {version}");
    }
}

#[test]
fn an_answer_in_the_middle_of_an_upload_arrives() {
    for closes in [After::Close, After::KeepOpen] {
        let upstream = Upstream::reading(Reads::HeadOnly, move |_, stream| {
            let _ = stream.write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig");
            if closes == After::KeepOpen {
                thread::sleep(Duration::from_secs(2));
            }
            After::Close
        });
        let proxied = Proxied::to(&upstream);
        for framing in ["Content-Length: 50000000", "Transfer-Encoding: chunked"] {
            let mut client = proxied.client();
            client.0.set_write_timeout(Some(Duration::from_secs(2))).expect("a time");
            client.send(format!("POST / HTTP/1.1\r\n{H}{framing}\r\n\r\n"));
            let mut reading = client.0.try_clone().expect("a second handle");
            let writing = thread::spawn(move || {
                let part = format!("{:x}\r\n{}\r\n", 10_000, "x".repeat(10_000));
                for _ in 0..300 {
                    if client.0.write_all(part.as_bytes()).is_err() {
                        return;
                    }
                }
            });
            let mut head = [0; 12];
            reading.set_read_timeout(Some(Duration::from_secs(5))).expect("a time");
            reading.read_exact(&mut head).expect("a response");
            assert_eq!(&head, b"HTTP/1.1 413", "{framing} {closes:?}");
            writing.join().expect("the client writes");
        }
    }
}

#[test]
fn expectations_are_answered_and_not_passed_on() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    let mut client = proxied.client();
    client.send(format!("POST / HTTP/1.1\r\n{H}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
    assert_eq!(client.read_all().status(), 100);
    client.send("hello");
    assert_eq!(client.read_all().status(), 200);
    let seen = upstream.only_request();
    assert_eq!(seen.body, b"hello");
    assert!(seen.values("expect").is_empty());
}

#[test]
fn an_empty_body_stays_one() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::to(&upstream);
    proxied.ask(format!("POST / HTTP/1.1\r\n{H}Content-Length: 0\r\n\r\n"));
    assert_eq!(upstream.only_request().values("content-length"), ["0"]);
}
