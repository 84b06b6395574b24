//! If either side disconnects, the other side learns of it.

use std::io::{Read as _, Write as _};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use super::harness::{End, H, Proxied};
use crate::support::upstream::{After, Reads, Upstream};

/// How soon the other side must learn of it. The promise is 50 ms, but the machine that runs the tests is busy.
const TOLD_WITHIN: Duration = Duration::from_millis(250);

/// An upstream that sends `first`, then waits until its connection ends and says when that was.
fn waiting(reads: Reads, first: &'static [u8]) -> (Upstream, Receiver<Instant>) {
    let (sender, ended) = mpsc::channel();
    let sender = Mutex::new(sender);
    let upstream = Upstream::reading(reads, move |_, stream| {
        let _ = stream.write_all(first);
        let mut bytes = [0; 4096];
        while stream.read(&mut bytes).is_ok_and(|count| count > 0) {}
        let _ = sender.lock().expect("one script").send(Instant::now());
        After::Close
    });
    (upstream, ended)
}

#[test]
fn the_upstream_is_told_when_the_client_leaves() {
    let stream = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\ndata:1\r\n";
    for (what, reads, first, request) in [
        (
            "before the response",
            Reads::Everything,
            &b""[..],
            "GET / HTTP/1.1\r\nHost: wiki.localhost\r\n\r\n",
        ),
        ("within a stream", Reads::Everything, stream, "GET / HTTP/1.1\r\nHost: wiki.localhost\r\n\r\n"),
        (
            "after an upload",
            Reads::HeadOnly,
            b"",
            "POST / HTTP/1.1\r\nHost: wiki.localhost\r\nContent-Length: 2\r\n\r\nhi",
        ),
        (
            "after a chunked upload",
            Reads::HeadOnly,
            b"",
            "POST / HTTP/1.1\r\nHost: wiki.localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        ),
        (
            "within an upload",
            Reads::HeadOnly,
            b"",
            "POST / HTTP/1.1\r\nHost: wiki.localhost\r\nContent-Length: 20\r\n\r\nhi",
        ),
    ] {
        let (upstream, ended) = waiting(reads, first);
        let proxied = Proxied::to(&upstream);
        let mut client = proxied.client();
        client.send(request);
        upstream.wait_for(1);
        if !first.is_empty() {
            assert_eq!(client.read_for(Duration::from_secs(5), Duration::from_millis(50)).status(), 200);
        }
        thread::sleep(Duration::from_millis(100));
        let left = Instant::now();
        drop(client);
        let told = ended.recv_timeout(Duration::from_secs(5)).unwrap_or_else(|_| panic!("not told: {what}"));
        assert!(told.duration_since(left) < TOLD_WITHIN, "{what}: {:?}", told.duration_since(left));
    }
}

#[test]
fn a_client_cannot_hide_its_end_behind_other_bytes() {
    let (upstream, _ended) = waiting(Reads::Everything, b"");
    let proxied = Proxied::to(&upstream);
    let mut client = proxied.client();
    client.send(format!("GET / HTTP/1.1\r\n{H}\r\n{}", "x".repeat(20_000)));
    let answer = client.read_for(Duration::from_secs(5), Duration::from_secs(1));
    assert_ne!(answer.end, End::Open, "{answer:?}");
}

#[test]
fn the_client_is_told_when_the_upstream_leaves() {
    let upstream = Upstream::scripted(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\ndata:1\r\n");
        thread::sleep(Duration::from_millis(300));
        After::Close
    });
    let proxied = Proxied::to(&upstream);
    let mut client = proxied.client();
    client.send(format!("GET / HTTP/1.1\r\n{H}\r\n"));
    let since = Instant::now();
    let answer = client.read_for(Duration::from_secs(5), Duration::from_secs(3));
    assert_ne!(answer.end, End::Open);
    assert!(!answer.is_complete(), "{answer:?}");
    assert!(since.elapsed() < Duration::from_millis(300) + TOLD_WITHIN, "{:?}", since.elapsed());
}

#[test]
fn half_an_upload_never_looks_complete_to_the_upstream() {
    for framing in ["Content-Length: 20\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let upstream = Upstream::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let proxied = Proxied::to(&upstream);
        let mut client = proxied.client();
        client.send(format!("POST / HTTP/1.1\r\n{H}{framing}"));
        thread::sleep(Duration::from_millis(100));
        drop(client);
        thread::sleep(Duration::from_millis(300));
        assert!(upstream.received().is_empty(), "{framing}");
        assert_eq!(upstream.connections(), 1);
    }
}

#[test]
fn events_arrive_one_by_one() {
    let (next, asked) = mpsc::channel();
    let asked = Mutex::new(asked);
    let upstream = Upstream::scripted(move |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
        while let Ok(number) = asked.lock().expect("one script").recv() {
            // In one piece: several writes may arrive as several chunks.
            let _ = stream.write_all(format!("data: {number}\n\n").as_bytes());
        }
        After::Close
    });
    let proxied = Proxied::to(&upstream);
    let mut client = proxied.client();
    client.send(format!("GET / HTTP/1.1\r\n{H}\r\n"));
    for number in 0..3 {
        next.send(number).expect("the script waits");
        let mut text = String::new();
        while !text.contains(&format!("data: {number}")) {
            let answer = client.read_for(Duration::from_secs(5), Duration::from_millis(20));
            assert!(!answer.text.is_empty(), "{number} does not arrive");
            text.push_str(&answer.text);
        }
    }
}
