//! A reverse proxy in front of an instance, with faults as configured: what operators get wrong.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the proxy does wrong.
#[derive(Clone, Copy)]
pub struct Faults {
    /// Changes the head of each request.
    pub request: fn(String) -> String,
    /// Changes the head of each response.
    pub response: fn(String) -> String,
    /// Stores every response to GET, even if its headers forbid it, and returns it to the next request.
    pub caches: bool,
    /// Refuses bodies of more bytes.
    pub most: usize,
    /// Sends requests for which this returns true directly to the app, without Latchkey.
    pub past: fn(&str) -> bool,
    /// Sends a request to the app if Latchkey does not answer with success.
    pub rescues: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            request: |head| head,
            response: |head| head,
            caches: false,
            most: usize::MAX,
            past: |_| false,
            rescues: false,
        }
    }
}

struct Forwarder {
    latchkey: u16,
    app: u16,
    faults: Faults,
    stored: Mutex<HashMap<String, Vec<u8>>>,
}

/// Listens for as long as the test process lives; returns its port.
pub fn forward(latchkey: u16, app: u16, faults: Faults) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let forwarder = Arc::new(Forwarder { latchkey, app, faults, stored: Mutex::default() });
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let forwarder = Arc::clone(&forwarder);
            thread::spawn(move || forwarder.pass_on(client));
        }
    });
    port
}

impl Forwarder {
    fn pass_on(&self, mut client: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(client.try_clone().ok()?);
        let head = read_head(&mut reader)?;
        let mut body = vec![0; length_of(&head).unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        if body.len() > self.faults.most {
            let refused = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            return client.write_all(refused).ok();
        }
        let line = head.lines().next()?.to_owned();
        let stored = self.stored.lock().unwrap().get(&line).filter(|_| self.faults.caches).cloned();
        let answer = match stored {
            Some(answer) => answer,
            None => self.answer(&client, &head, &body)?,
        };
        if line.starts_with("GET") {
            self.stored.lock().unwrap().insert(line, answer.clone());
        }
        client.write_all(&answer).ok()
    }

    fn answer(&self, client: &TcpStream, head: &str, body: &[u8]) -> Option<Vec<u8>> {
        let sent = (self.faults.request)(forwarded(head, client)?);
        let first = if (self.faults.past)(head) { self.app } else { self.latchkey };
        let answer = exchange(first, &sent, body);
        let answer = match answer {
            Some((head, _)) if self.faults.rescues && !is_good(&head) => exchange(self.app, &sent, body),
            None if self.faults.rescues => exchange(self.app, &sent, body),
            answer => answer,
        };
        let (head, body) = answer?;
        Some([(self.faults.response)(head).as_bytes(), &body].concat())
    }
}

fn is_good(head: &str) -> bool {
    !head.starts_with("HTTP/1.1 5")
}

/// Appends the IP address of the client to the existing ones.
fn forwarded(head: &str, client: &TcpStream) -> Option<String> {
    let caller = client.peer_addr().ok()?.ip();
    let is_own = |line: &&str| line.to_lowercase().starts_with("x-forwarded-for:");
    let claimed = head.lines().find(is_own).and_then(|line| line.split_once(": "));
    let claimed = claimed.map_or_else(String::new, |(_, claimed)| format!("{claimed}, "));
    let lines: Vec<&str> = head.trim_end().lines().filter(|line| !is_own(line)).collect();
    Some(format!("{}\r\nX-Forwarded-For: {claimed}{caller}\r\n\r\n", lines.join("\r\n")))
}

fn exchange(port: u16, head: &str, body: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    server.write_all(&[head.as_bytes(), body].concat()).ok()?;
    let mut reader = BufReader::new(server);
    let answer = read_head(&mut reader)?;
    let mut body = Vec::new();
    match length_of(&answer) {
        _ if head.starts_with("HEAD") => {}
        Some(length) => {
            reader.take(length as u64).read_to_end(&mut body).ok()?;
        }
        None => {
            reader.read_to_end(&mut body).ok()?;
        }
    }
    Some((answer, body))
}

fn read_head(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

fn length_of(head: &str) -> Option<usize> {
    let lower = head.to_lowercase();
    let line = lower.lines().find_map(|line| line.strip_prefix("content-length:").map(str::to_owned));
    line?.trim().parse().ok()
}
