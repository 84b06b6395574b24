//! Sixty-four connections on one session: each request is let in, and nothing is written to the database.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::behind::{Behind, cookie_line};
use crate::front::support::User;

const CONNECTIONS: usize = 64;

/// Writes to any table of the database so far.
const WRITES: &str =
    "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables";

/// Returns how many requests there were.
pub fn one_session(behind: &Behind, user: &User, duration: Duration) -> usize {
    let request = format!(
        "GET /page HTTP/1.1\r\nHost: docs.localhost:{}\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n\
         Sec-Fetch-Site: same-origin\r\n{}\r\n\r\n",
        behind.http,
        cookie_line(&user.at_app)
    );
    // The server counts a write some time after it.
    thread::sleep(Duration::from_millis(1500));
    let before = behind.app.db.scalar::<i64>(WRITES);
    let (over, answered, others) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (over, answered, others) = (Arc::clone(&over), Arc::clone(&answered), Arc::clone(&others));
            let (request, port) = (request.clone(), behind.http);
            thread::spawn(move || {
                let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
                stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
                let mut reader = BufReader::new(stream.try_clone().expect("the same"));
                let mut stream = stream;
                while !over.load(Ordering::Relaxed) {
                    stream.write_all(request.as_bytes()).expect("a request");
                    match status_of_next(&mut reader) {
                        Some(200) => answered.fetch_add(1, Ordering::Relaxed),
                        _ => others.fetch_add(1, Ordering::Relaxed),
                    };
                }
            })
        })
        .collect();
    thread::sleep(duration);
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("a client");
    }
    thread::sleep(Duration::from_millis(1500));
    let (answered, others) = (answered.load(Ordering::Relaxed), others.load(Ordering::Relaxed));
    assert_eq!(others, 0, "{:?}: {answered} were let in\n{}", behind.program, behind.log());
    assert!(answered > CONNECTIONS, "{:?}: {answered}", behind.program);
    assert_eq!(behind.app.db.scalar::<i64>(WRITES), before, "{:?}", behind.program);
    answered
}

/// Reads a whole response with a length.
fn status_of_next(reader: &mut BufReader<TcpStream>) -> Option<u16> {
    let (mut status, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if status.is_none() {
            status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    status
}
