//! Thousands of clients that send many requests at once and read no answer.

use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::{task, time};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::flood::memory;
use super::harness::{CALM, Harness};
use super::outcome::Outcome;
use super::slow::{connect, open_files};

const CONNECTIONS: usize = 2000;

/// In MiB, with all clients active.
const MOST_MEMORY: u64 = 256;

/// In MiB: how much more memory than before may be used shortly after the clients are gone.
const STAYS: u64 = 64;

const PAGE_WITHIN: Duration = Duration::from_secs(2);

/// Long enough for the kernel's buffers to fill and for clients that do not read to be detected (20 s).
const ATTACK: Duration = Duration::from_secs(15);

/// The requests of each third of the clients: files, short pages, and a second head that does not end.
fn requests(asset: &str) -> [String; 3] {
    [
        format!("GET {asset} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(2000),
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(8000),
        format!("GET /login HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nX: {}", "a".repeat(130_000)),
    ]
}

pub async fn clients() -> Vec<Outcome> {
    // The limit on files is inherited: the program and this process each hold one end.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("more files");
    let mut harness = Harness::plain().await;
    harness.live().await;
    let address = harness.world.origins[0].replace("http://localhost", "127.0.0.1");
    let (before, fds) = (memory(&harness, "VmRSS:"), open_files(&harness));
    let over = Arc::new(AtomicBool::new(false));
    let attack = {
        let over = Arc::clone(&over);
        task::spawn_blocking(move || hold(&address, &requests("/static/app.css"), &over))
    };
    let begun = Instant::now();
    let mut held = 0;
    while begun.elapsed() < ATTACK {
        time::sleep(CALM).await;
        held = held.max(open_files(&harness).saturating_sub(fds));
    }
    let peak = memory(&harness, "VmHWM:");
    over.store(true, Ordering::Relaxed);
    attack.await.expect("clients");
    harness.expect(held >= CONNECTIONS, format!("only {held} connections were held"));
    harness.expect(peak <= MOST_MEMORY, format!("{peak} MiB of memory"));
    let slowest = harness.slowest();
    harness.expect(slowest <= PAGE_WITHIN, format!("another user waited {slowest:?}"));
    let back = harness.recovers(Instant::now()).await;
    time::sleep(5 * CALM).await;
    let after = memory(&harness, "VmRSS:");
    harness.expect(after <= before + STAYS, format!("{after} MiB stay of {before}"));
    harness.notes.push(format!(
        "{held} connections, {before} MiB before, {peak} at most, {after} after; slowest page of others {:.2} s",
        slowest.as_secs_f64()
    ));
    vec![harness.judged("Pipelined requests, and nothing is read", Some(back)).await]
}

fn hold(address: &str, requests: &[String; 3], over: &AtomicBool) {
    let open = |number: usize| {
        let stream = connect(address).ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((stream, requests[number % 3].as_bytes()))
    };
    let mut open: Vec<(TcpStream, &[u8])> = (0..CONNECTIONS + 100).filter_map(open).collect();
    while !over.load(Ordering::Relaxed) {
        for (stream, rest) in &mut open {
            match stream.write(rest) {
                Ok(sent) => *rest = &rest[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The server closed the connection: open a new one.
                Err(_) => {
                    if let Ok(again) = connect(address) {
                        let _ = again.set_nonblocking(true);
                        (*stream, *rest) = (again, requests[0].as_bytes());
                    }
                }
            }
        }
        thread::sleep(Duration::from_millis(200));
    }
}
