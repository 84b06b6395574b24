//! Hundreds of clients that send one byte at a time, or read nothing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::task;
use socket2::{Domain, Socket, Type};

use super::flood::memory;
use super::harness::{CALM, Harness};
use super::outcome::Outcome;

const MOST: usize = 300;

/// The server waits 5 s for a head, 10 s for a body and 20 s for a client to read; the detection may take a moment
/// longer.
const GIVEN_UP_WITHIN: [(Kind, u64); 3] = [(Kind::Head, 5), (Kind::Body, 10), (Kind::Reader, 20)];
const A_MOMENT: Duration = Duration::from_secs(4);

/// Files requested at once: more than the buffers of both sides hold.
const PIPELINED: usize = 400;

const PAGE_WITHIN: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Head,
    Body,
    Reader,
}

pub async fn clients() -> Vec<Outcome> {
    let mut harness = Harness::plain().await;
    harness.live().await;
    let address = harness.world.origins[0].replace("http://localhost", "127.0.0.1");
    let form = harness.world.wire.get(&format!("{}/login", harness.world.origins[0]), "").await;
    let nonce = form.cookie("latchkey-form").expect("a nonce");
    let asset = form.between("href=\"/static/app.css", "\"").expect("a file");
    let asset = format!("/static/app.css{asset}");
    let (before, fds) = (memory(&harness, "VmRSS:"), open_files(&harness));
    let held = GIVEN_UP_WITHIN.map(|(kind, seconds)| {
        let (address, nonce, asset) = (address.clone(), nonce.clone(), asset.clone());
        let patience = Duration::from_secs(seconds) + A_MOMENT;
        task::spawn_blocking(move || hold(kind, &address, &nonce, &asset, patience))
    });
    actix_web::rt::time::sleep(CALM).await;
    let most = open_files(&harness).saturating_sub(fds);
    harness.expect(most > MOST, format!("only {most} connections were held"));
    for (held, (kind, _)) in held.into_iter().zip(GIVEN_UP_WITHIN) {
        let (left, slowest, words) = held.await.expect("clients");
        harness.expect(left == 0, format!("{left} {kind:?} were never given up"));
        harness.notes.push(format!("{kind:?} given up after {:.1} s {words}", slowest.as_secs_f64()));
    }
    let slowest = harness.slowest();
    harness.expect(slowest <= PAGE_WITHIN, format!("another user waited {slowest:?}"));
    harness.notes.push(format!(
        "{most} connections, {before} MiB before, {} at most; slowest page of others {:.2} s",
        memory(&harness, "VmHWM:"),
        slowest.as_secs_f64()
    ));
    let back = harness.recovers(Instant::now()).await;
    vec![harness.judged("Slow heads, bodies and readers", Some(back)).await]
}

/// How many connections were not closed in time, when the last of the others was closed, and the bytes that it
/// received.
fn hold(
    kind: Kind,
    address: &str,
    nonce: &str,
    asset: &str,
    patience: Duration,
) -> (usize, Duration, String) {
    let begun = Instant::now();
    // Clients that read nothing cause work at first, which this fault does not measure.
    let many = if kind == Kind::Reader { MOST / 3 } else { MOST };
    let mut open: Vec<TcpStream> = (0..many).filter_map(|_| connect(address).ok()).collect();
    let first = match kind {
        Kind::Head => "GET /login HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".to_owned(),
        Kind::Body => format!(
            "POST /login HTTP/1.1\r\nHost: localhost\r\nCookie: {nonce}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\nemail="
        ),
        // More responses than all buffers in between hold.
        Kind::Reader => format!("GET {asset} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(PIPELINED),
    };
    for stream in &mut open {
        stream.set_nonblocking(true).expect("a stream");
        let _ = stream.write(first.as_bytes());
    }
    let (mut last, mut words) = (Duration::ZERO, String::new());
    let mut buffer = [0; 64];
    while !open.is_empty() && begun.elapsed() < patience {
        thread::sleep(Duration::from_millis(200));
        open.retain_mut(|stream| {
            let written = stream.write(b"a");
            let gone = match written {
                Err(error) if error.kind() != ErrorKind::WouldBlock => true,
                _ if kind == Kind::Reader => false,
                _ => match stream.read(&mut buffer) {
                    Ok(0) => true,
                    Ok(read) => {
                        words = String::from_utf8_lossy(&buffer[..read])
                            .lines()
                            .next()
                            .unwrap_or_default()
                            .to_owned();
                        true
                    }
                    Err(error) => error.kind() != ErrorKind::WouldBlock,
                },
            };
            if gone {
                last = begun.elapsed();
            }
            !gone
        });
    }
    let words = words.strip_prefix("HTTP/1.1 ").map(|told| format!("({told})")).unwrap_or_default();
    (open.len(), last, words)
}

/// With a small receive buffer.
pub fn connect(address: &str) -> std::io::Result<TcpStream> {
    let address: SocketAddr = address.parse().expect("an address");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(4096)?;
    socket.connect(&address.into())?;
    Ok(socket.into())
}

pub fn open_files(harness: &Harness) -> usize {
    let pid = harness.running[0].as_ref().expect("a program").pid();
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}
