//! A client on a bare socket: reads slowly or not at all, and sees whether the response is complete.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::browser::Browser;
use crate::support::process::eventually;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Cleanly.
    Closed,
    /// With an error: the data before it is not complete.
    Reset,
}

pub struct RawClient {
    stream: TcpStream,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    end: Option<End>,
}

impl RawClient {
    /// Sends the head of a request with the cookies of `browser`, and these further headers.
    pub fn send(origin: &str, browser: &Browser, line: &str, headers: &str) -> Self {
        let host = origin.strip_prefix("http://").expect("an origin");
        let port: u16 = host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let cookies: Vec<String> =
            browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let head = format!(
            "{line} HTTP/1.1\r\nhost: {host}\r\ncookie: {}\r\nsec-fetch-site: same-origin\r\n{headers}\r\n",
            cookies.join("; ")
        );
        stream.write_all(head.as_bytes()).expect("an open connection");
        Self { stream, seen: Arc::default() }
    }

    /// Reads from now on, as fast as it can.
    pub fn reading(self) -> Self {
        let (mut stream, seen) = (self.stream.try_clone().expect("a socket"), Arc::clone(&self.seen));
        thread::spawn(move || {
            let mut part = vec![0; 64 * 1024];
            loop {
                let read = stream.read(&mut part);
                let mut seen = seen.lock().expect("no reader panics");
                match read {
                    Ok(0) => seen.end = Some(End::Closed),
                    Ok(count) => seen.bytes.extend_from_slice(&part[..count]),
                    Err(_) => seen.end = Some(End::Reset),
                }
                if seen.end.is_some() {
                    return;
                }
            }
        });
        self
    }

    /// Sends more of the body. `false` if the connection has ended.
    pub fn write(&self, bytes: &[u8]) -> bool {
        (&self.stream).write_all(bytes).is_ok()
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.seen.lock().expect("no reader panics").bytes.clone()
    }

    pub fn has_ended(&self) -> Option<End> {
        self.seen.lock().expect("no reader panics").end
    }

    /// Waits for the first bytes of a response with this status.
    pub async fn answered(&self, status: u16) {
        let line = format!("HTTP/1.1 {status} ");
        eventually(&line, async || {
            let bytes = self.bytes();
            assert!(bytes.len() < line.len() || bytes.starts_with(line.as_bytes()), "{}", text(&bytes));
            (bytes.len() >= line.len()).then_some(())
        })
        .await;
    }

    /// Waits until more has arrived than now.
    pub async fn goes_on(&self) {
        let before = self.bytes().len();
        eventually("the stream goes on", async || {
            assert_eq!(self.has_ended(), None, "it has ended");
            (self.bytes().len() > before).then_some(())
        })
        .await;
    }

    pub async fn ended(&self) -> End {
        eventually("the end of the connection", async || self.has_ended()).await
    }

    /// Reads the data that the kernel still holds, and returns how the connection ended.
    pub fn drained(&self) -> (usize, End) {
        self.stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        let (mut part, mut count) = (vec![0; 64 * 1024], 0);
        loop {
            match (&self.stream).read(&mut part) {
                Ok(0) => return (count, End::Closed),
                Ok(read) => count += read,
                Err(_) => return (count, End::Reset),
            }
        }
    }
}

impl Drop for RawClient {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
