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

/// Every version of every row, by table; without the listeners, which report every 100 ms.
fn row_versions(behind: &Behind) -> Vec<String> {
    let tables: String = behind.app.db.scalar(
        "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'listeners'",
    );
    let versions = |table: &str| -> String {
        behind.app.db.scalar(&format!(
            "SELECT '{table} ' || coalesce(string_agg(ctid::text || xmin::text, ' ' ORDER BY ctid), '') FROM {table}"
        ))
    };
    tables.split(' ').map(versions).collect()
}

/// Returns how many requests there were.
pub fn one_session(behind: &Behind, user: &User, duration: Duration) -> usize {
    let request = format!(
        "GET /page HTTP/1.1\r\nHost: docs.localhost:{}\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n\
         Sec-Fetch-Site: same-origin\r\n{}\r\n\r\n",
        behind.http,
        cookie_line(&user.at_app)
    );
    // The last log-in may still be being recorded.
    thread::sleep(Duration::from_millis(1500));
    let before = row_versions(behind);
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
    let (answered, others) = (answered.load(Ordering::Relaxed), others.load(Ordering::Relaxed));
    assert_eq!(others, 0, "{:?}: {answered} were let in\n{}", behind.program, behind.log());
    assert!(answered > CONNECTIONS, "{:?}: {answered}", behind.program);
    assert_eq!(row_versions(behind), before, "{:?}", behind.program);
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
