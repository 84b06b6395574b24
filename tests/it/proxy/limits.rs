//! The limits of an app and of the process.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::harness::{Client, End, H, Proxied, app_at};
use crate::support::upstream::{After, OK, Reads, Upstream};

/// An upstream that never answers `/hang`.
fn hanging() -> Upstream {
    Upstream::scripted(|request, stream| {
        if request.target() == "/hang" {
            let _ = stream.read(&mut [0]);
            return After::Close;
        }
        let _ = stream.write_all(OK);
        After::KeepOpen
    })
}

#[test]
fn an_upstream_that_does_not_answer_in_time_is_a_gateway_timeout() {
    let upstream = hanging();
    let proxied = Proxied::with_app(&upstream, |app| app.limits.head = Duration::from_millis(300));
    let since = Instant::now();
    assert_eq!(proxied.get("/hang").status(), 504);
    assert!((300..1500).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
    assert_eq!(upstream.received().len(), 1, "a request that hung is not repeated");
    assert_eq!(proxied.get("/").status(), 200);
}

#[test]
fn an_upstream_that_accepts_no_connection_in_time_is_a_bad_gateway() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let address: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    socket.bind(&address.into()).expect("a port");
    socket.listen(0).expect("a queue of one");
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().expect("its number").port();
    // The kernel accepts no more than fit into the queue.
    let _filling: Vec<_> = (0..4)
        .map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_nonblocking(true).expect("a mode");
            let _ = socket.connect(&std::net::SocketAddr::from(([127, 0, 0, 1], port)).into());
            socket
        })
        .collect();
    thread::sleep(Duration::from_millis(100));
    let mut app = app_at(&format!("http://127.0.0.1:{port}"));
    app.limits.connect = Duration::from_millis(300);
    let since = Instant::now();
    assert_eq!(Proxied::with(app).get("/").status(), 502);
    assert!((300..1500).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
}

#[test]
fn a_body_that_stops_arriving_ends_as_an_error() {
    let upstream = Upstream::scripted(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart");
        thread::sleep(Duration::from_secs(5));
        After::Close
    });
    let proxied = Proxied::with_app(&upstream, |app| app.limits.idle = Duration::from_millis(300));
    let since = Instant::now();
    let mut client = proxied.client();
    client.send(format!("GET / HTTP/1.1\r\n{H}\r\n"));
    let answer = client.read_for(Duration::from_secs(5), Duration::from_secs(4));
    assert!(!answer.is_complete() && answer.body() == "part", "{answer:?}");
    assert!((300..1500).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
}

#[test]
fn a_client_that_stops_sending_has_as_long() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::with_app(&upstream, |app| app.limits.idle = Duration::from_millis(300));
    let mut client = proxied.client();
    client.send(format!("POST / HTTP/1.1\r\n{H}Content-Length: 10\r\n\r\nhalf"));
    assert_eq!(client.read_all().status(), 408);
    assert!(upstream.received().is_empty(), "half a body is no request");
}

/// Sends `part` every 20 ms, at most for three seconds. Returns the answer, or `None` if the proxy still waits.
fn trickle(proxied: &Proxied, framing: &str, part: &[u8]) -> Option<u16> {
    let mut client = proxied.client();
    client.send(format!("POST / HTTP/1.1\r\n{H}{framing}\r\n\r\n"));
    client.0.set_read_timeout(Some(Duration::from_millis(20))).expect("a time");
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(3) {
        if client.0.write_all(part).is_err() {
            break;
        }
        let mut head = [0; 64];
        if let Ok(read @ 1..) = client.0.read(&mut head) {
            let status =
                String::from_utf8_lossy(&head[..read]).split(' ').nth(1).and_then(|text| text.parse().ok());
            return Some(status.expect("a status"));
        }
    }
    None
}

#[test]
fn a_client_that_sends_a_byte_now_and_then_has_as_long_as_one_that_sends_nothing() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::with_app(&upstream, |app| app.limits.idle = Duration::from_millis(500));
    for (framing, byte) in
        [("Content-Length: 1000000", &b"x"[..]), ("Transfer-Encoding: chunked", b"1\r\nx\r\n")]
    {
        let since = Instant::now();
        assert_eq!(trickle(&proxied, framing, byte), Some(408), "{framing}");
        assert!((500..2500).contains(&since.elapsed().as_millis()), "{framing}: {:?}", since.elapsed());
    }
    // Well above the least rate.
    assert_eq!(trickle(&proxied, "Content-Length: 1000000", &[b'x'; 100]), None, "a slow client is served");
}

/// The kernel accepts more of a response only when a third of its buffer is free.
#[test]
fn a_client_that_reads_a_byte_now_and_then_has_as_long_as_one_that_reads_nothing() {
    let upstream = Upstream::scripted(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
        while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {}
        After::Close
    });
    let proxied = Proxied::with_app(&upstream, |app| app.limits.idle = Duration::from_millis(500));
    let mut client = proxied.client();
    client.send(format!("GET / HTTP/1.1\r\n{H}\r\n"));
    upstream.wait_for(1);
    let since = Instant::now();
    while proxied.shared.connections() > 0 {
        assert!(since.elapsed() < Duration::from_secs(5), "it holds its place");
        let _ = client.0.read(&mut [0]);
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_body_may_be_as_long_as_the_app_accepts() {
    let upstream = Upstream::answering(OK);
    let proxied = Proxied::with_app(&upstream, |app| app.limits.max_body = Some(100_000));
    let fits = "x".repeat(100_000);
    let sized = format!("POST / HTTP/1.1\r\n{H}Connection: close\r\nContent-Length: ");
    assert_eq!(proxied.ask(format!("{sized}100000\r\n\r\n{fits}")).status(), 200);
    assert_eq!(proxied.ask(format!("{sized}100001\r\n\r\n{fits}y")).status(), 413);
    assert_eq!(upstream.received().len(), 1);
    let chunked = format!("POST / HTTP/1.1\r\n{H}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(proxied.ask(format!("{chunked}186a0\r\n{fits}\r\n0\r\n\r\n")).status(), 200);
    let longer = proxied.ask(format!("{chunked}186a0\r\n{fits}\r\n186a0\r\n{fits}\r\n0\r\n\r\n"));
    assert_eq!(longer.status(), 413, "in the middle of a body without a length: {longer:?}");
    assert_eq!(upstream.received().len(), 2);
}

#[test]
fn requests_beyond_the_apps_limit_are_refused_and_others_are_served() {
    let upstream = hanging();
    let proxied = Proxied::with_app(&upstream, |app| app.limits.max_in_flight = 20);
    let mut hanging: Vec<Client> = (0..20).map(|_| proxied.client()).collect();
    for client in &mut hanging {
        client.send(format!("GET /hang HTTP/1.1\r\n{H}\r\n"));
    }
    upstream.wait_for(20);
    assert_eq!(proxied.get("/").status(), 503);
    let since = Instant::now();
    let portal = proxied.ask("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(portal.body(), "portal");
    assert!(since.elapsed() < Duration::from_millis(200), "{:?}", since.elapsed());
    hanging.pop().expect("a client").leave();
    thread::sleep(Duration::from_millis(100));
    assert_eq!(proxied.get("/").status(), 200, "who leaves makes room");
}

#[test]
fn connections_to_upstreams_are_limited_in_the_process() {
    let upstream = hanging();
    let proxied = Proxied::named(app_at(&upstream.url()), "Ada", 8);
    // One app gets more than half of them, so that others are served.
    let mut clients: Vec<Client> = (0..5).map(|_| proxied.client()).collect();
    for client in &mut clients {
        client.send(format!("GET /hang HTTP/1.1\r\n{H}\r\n"));
    }
    upstream.wait_for(5);
    assert_eq!(proxied.get("/").status(), 503);
    drop(clients);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(proxied.get("/").status(), 200);
    assert!(proxied.shared.connections() <= 5);
}

#[test]
fn a_client_that_reads_nothing_for_too_long_is_gone() {
    let upstream = Upstream::scripted(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
        while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {}
        After::Close
    });
    let proxied = Proxied::with_app(&upstream, |app| {
        app.limits.idle = Duration::from_millis(500);
        app.limits.max_in_flight = 1;
    });
    let mut client = proxied.client();
    client.send(format!("GET / HTTP/1.1\r\n{H}\r\n"));
    upstream.wait_for(1);
    assert_eq!(proxied.get("/").status(), 503, "the only place is taken");
    let since = Instant::now();
    while proxied.shared.connections() > 0 {
        assert!(since.elapsed() < Duration::from_secs(5), "it holds its place");
        thread::sleep(Duration::from_millis(50));
    }
    let mut part = vec![0; 1024 * 1024];
    let end = loop {
        match client.0.read(&mut part) {
            Ok(0) => break End::Closed,
            Ok(_) => {}
            Err(_) => break End::Reset,
        }
    };
    assert_eq!(end, End::Reset, "it does not look complete");
}

/// How many bytes of a gigabyte may be in transit: Latchkey's buffers, and the kernel's on both sides.
const UNDER_WAY: usize = 24 * 1024 * 1024;

#[test]
fn a_client_that_reads_nothing_stops_the_upstream() {
    let (sent, told) = std::sync::mpsc::channel();
    let sent = std::sync::Mutex::new(sent);
    let upstream = Upstream::scripted(move |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
        let _ = stream.set_write_timeout(Some(Duration::from_millis(700)));
        let part = [b'x'; 16 * 1024];
        let mut count = 0;
        while let Ok(written) = stream.write(&part) {
            count += written;
        }
        let _ = sent.lock().expect("one script").send(count);
        After::Close
    });
    let proxied = Proxied::to(&upstream);
    let mut clients: Vec<Client> = (0..5).map(|_| proxied.client()).collect();
    for client in &mut clients {
        client.send(format!("GET / HTTP/1.1\r\n{H}\r\n"));
    }
    for _ in 0..5 {
        let count = told.recv_timeout(Duration::from_secs(20)).expect("a stalled upstream");
        assert!(count < UNDER_WAY, "{count} bytes");
    }
}

#[test]
fn an_upstream_that_reads_nothing_stops_the_client() {
    for framing in ["Content-Length: 1000000000", "Transfer-Encoding: chunked"] {
        let upstream = Upstream::reading(Reads::HeadOnly, |_, _| {
            thread::sleep(Duration::from_secs(3));
            After::Close
        });
        let proxied = Proxied::to(&upstream);
        let mut client = proxied.client();
        client.send(format!("POST / HTTP/1.1\r\n{H}{framing}\r\n\r\n"));
        client.0.set_write_timeout(Some(Duration::from_millis(700))).expect("a time");
        let mut part = format!("{:x}\r\n", 16 * 1024).into_bytes();
        part.extend([b'x'; 16 * 1024]);
        part.extend(b"\r\n");
        let mut count = 0;
        while let Ok(written) = client.0.write(&part) {
            count += written;
            assert!(count < UNDER_WAY, "{framing}");
        }
    }
}
