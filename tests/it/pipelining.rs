//! Connections that send more than one request at a time: all requests are answered in order, and a client that reads
//! no responses is not read from.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use actix_web::rt::task;
use socket2::{Domain, Socket, Type};

use crate::support::app::TestApp;
use crate::support::process::{DataDir, Latchkey, Running};

/// The memory that one connection may take, regardless of what it sends: some 40 KiB, and overhead of the allocator and of
/// a build without optimizations, in which requests that wait for a busy database are large.
const PER_CONNECTION: u64 = 80 * 1024;

#[actix_web::test]
async fn many_requests_at_once_are_answered_in_their_order() {
    let app = TestApp::spawn();
    let post =
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let mut text = String::new();
    let mut wanted = Vec::new();
    for round in 0..40 {
        text.push_str("GET /static/app.css HTTP/1.1\r\nHost: localhost\r\n\r\n");
        text.push_str("HEAD /static/app.css HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wanted.extend([(200, Some("text/css; charset=utf-8")), (200, Some("text/css; charset=utf-8"))]);
        // Bare line feeds, and blank lines before the request line (allowed by RFC 9112 §2.2).
        text.push_str("\r\nGET /healthz HTTP/1.1\nHost: localhost\n\n");
        wanted.push((200, None));
        // A body that looks like a request, and one that is not read because its form has no token.
        let body = "email=a&x=GET / HTTP/1.1\r\n\r\n\r\n";
        let body = if round % 2 == 0 {
            format!("Content-Length: {}\r\n\r\n{body}", body.len())
        } else {
            format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
        };
        text.push_str(post);
        text.push_str(&body);
        wanted.push((403, Some("text/html; charset=utf-8")));
    }
    text.push_str("GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    wanted.push((404, Some("text/html; charset=utf-8")));
    // In one piece, and in pieces that end anywhere.
    for piece in [text.len(), 4096, 1371, 7] {
        let (address, text) = (address(&app.origin), text.clone());
        let answers = task::spawn_blocking(move || exchange(&address, text.as_bytes(), piece)).await.unwrap();
        let told: Vec<_> = answers.iter().map(|(status, kind)| (*status, kind.as_deref())).collect();
        assert_eq!(told.len(), wanted.len(), "in pieces of {piece}: {told:?}");
        for (at, (told, wanted)) in told.iter().zip(&wanted).enumerate() {
            assert_eq!(told.0, wanted.0, "answer {at} in pieces of {piece}");
            assert!(wanted.1.is_none() || told.1 == wanted.1, "answer {at} in pieces of {piece}: {told:?}");
        }
    }
}

#[actix_web::test]
async fn a_head_longer_than_16_kib_is_refused_and_a_shorter_one_is_not() {
    let app = TestApp::spawn();
    for (length, status) in [(15_000, 200), (17_000, 431), (200_000, 431)] {
        for before in ["", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
            let text = format!(
                "{before}GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: {}\r\n\r\n",
                "a".repeat(length)
            );
            let address = address(&app.origin);
            let answers =
                task::spawn_blocking(move || exchange(&address, text.as_bytes(), 4096)).await.unwrap();
            assert_eq!(answers.last().map(|(status, _)| *status), Some(status), "{length} {before:?}");
        }
    }
}

#[actix_web::test]
async fn clients_that_read_nothing_hold_little_memory_and_delay_no_page() {
    let dir = DataDir::new();
    let latchkey = Latchkey::local(&dir).with("LATCHKEY__SERVER__WORKERS", "2");
    let running = latchkey.serve_ready().await;
    let address = address(&latchkey.origin());
    let small = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4000);
    let file = "GET /static/app.css HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2000);
    let head =
        format!("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nX: {}", "a".repeat(150_000));
    let chunked = format!(
        "POST /login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n{small}"
    );
    let body = format!("POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{small}");
    for text in [small, file, head, chunked, body] {
        let before = resident(&running);
        let held = {
            let (address, text) = (address.clone(), text.clone());
            task::spawn_blocking(move || send_without_reading(&address, 100, &text)).await.unwrap()
        };
        let begun = Instant::now();
        latchkey_answers(&latchkey).await;
        assert!(begun.elapsed() < Duration::from_secs(2), "a page took {:?}", begun.elapsed());
        let more = resident(&running).saturating_sub(before);
        assert!(
            more < held.len() as u64 * PER_CONNECTION,
            "{} connections that send {:?} hold {} KiB",
            held.len(),
            &text[..24],
            more / 1024
        );
    }
}

/// If idle connections were kept forever, one client could take all of them.
#[actix_web::test]
async fn a_body_of_which_nothing_comes_holds_no_connection() {
    let app = TestApp::spawn();
    for head in ["GET /nothing", "GET /login", "POST /login"] {
        let mut stream = TcpStream::connect(address(&app.origin)).unwrap();
        // Longer than a body may take, but finite.
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let text = format!("{head} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap_or_else(|error| panic!("{head}: still open: {error}"));
        assert!(answer.starts_with(b"HTTP/1.1 "), "{head}");
    }
}

async fn latchkey_answers(latchkey: &Latchkey) {
    let mut browser = crate::support::browser::Browser::new(&latchkey.origin());
    browser.get("/login").await.is(200);
}

fn address(origin: &str) -> String {
    origin.replace("http://localhost", "127.0.0.1")
}

/// Opens `count` connections, sends each `text` as far as the server accepts it, and returns when none accepts more.
fn send_without_reading(address: &str, count: usize, text: &str) -> Vec<TcpStream> {
    let address: SocketAddr = address.parse().unwrap();
    let mut streams: Vec<(TcpStream, &[u8])> = Vec::new();
    for _ in 0..count {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_nonblocking(true).unwrap();
        streams.push((stream, text.as_bytes()));
    }
    let mut idle = 0;
    while idle < 20 {
        let mut sent = 0;
        for (stream, rest) in &mut streams {
            match stream.write(rest) {
                Ok(count) => {
                    *rest = &rest[count..];
                    sent += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // A refused connection is fine, too.
                Err(_) => *rest = &[],
            }
        }
        idle = if sent == 0 { idle + 1 } else { 0 };
        std::thread::sleep(Duration::from_millis(20));
    }
    streams.into_iter().map(|(stream, _)| stream).collect()
}

/// The resident memory of the program in bytes.
fn resident(running: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
}

/// Sends `text` in pieces and reads responses until the connection ends. Returns status and type of each.
fn exchange(address: &str, text: &[u8], piece: usize) -> Vec<(u16, Option<String>)> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut reading = stream.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut buffer = [0; 65536];
        // A reset after the last response ends the connection, too.
        while let Ok(count @ 1..) = reading.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..count]);
        }
        bytes
    });
    for piece in text.chunks(piece) {
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    answers(&reader.join().unwrap())
}

/// Parses the responses. A response to HEAD has a length and no body: what follows it begins like a response.
fn answers(mut bytes: &[u8]) -> Vec<(u16, Option<String>)> {
    let mut answers = Vec::new();
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        bytes = &bytes[end + 4..];
        let field = |name: &str| {
            head.lines().find_map(|line| {
                let (known, value) = line.split_once(": ")?;
                known.eq_ignore_ascii_case(name).then(|| value.to_owned())
            })
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status in {head:?}"));
        let length: usize = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if !bytes.starts_with(b"HTTP/1.1 ") {
            bytes = &bytes[length.min(bytes.len())..];
        }
        answers.push((status, field("content-type")));
    }
    answers
}
