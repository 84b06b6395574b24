//! Load on the front door and its cost: requests on sockets of their own, and the memory of a process.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::front_door::FrontDoor;
use crate::front::support::User;

/// Lets in every user.
pub const EVERYONE: &str = "rules = [{ all = true, access = \"signed-in\" }]";

/// The facts that a client needs to send requests to an app on sockets of its own.
#[derive(Clone)]
pub struct Ticket {
    host: String,
    port: u16,
    cookies: String,
}

impl Ticket {
    pub fn of(user: &User, door: &FrontDoor, slug: &str) -> Self {
        let host = door.origin(slug).trim_start_matches("http://").to_owned();
        let port = host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let cookies: Vec<String> =
            user.at_app.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Self { host, port, cookies: cookies.join("; ") }
    }

    /// Sends the head of a request, with further header lines.
    pub fn send(&self, line: &str, headers: &str) -> TcpStream {
        let Self { host, port, cookies } = self;
        let mut stream = TcpStream::connect(("127.0.0.1", *port)).expect("a connection");
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n\
             Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nCookie: {cookies}\r\nConnection: close\r\n{headers}\r\n"
        )
        .expect("a request");
        stream
    }
}

/// Watches the memory of a process until it is asked for the result.
pub struct MemoryWatch {
    before: u64,
    over: Arc<AtomicBool>,
    watching: JoinHandle<u64>,
}

impl MemoryWatch {
    pub fn start(pid: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let watching = thread::spawn(move || {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(resident_kib(pid));
                thread::sleep(Duration::from_millis(50));
            }
            most
        });
        Self { before: resident_kib(pid), over, watching }
    }

    /// How much more memory the process had at its peak than before, in MiB.
    pub fn growth(self) -> f64 {
        self.over.store(true, Ordering::Relaxed);
        let most = self.watching.join().expect("a thread");
        let kib = u32::try_from(most.saturating_sub(self.before)).expect("less than 4 TiB");
        f64::from(kib) / 1024.0
    }
}

fn resident_kib(pid: u32) -> u64 {
    let output = Command::new("ps").args(["-o", "rss=", "-p", &pid.to_string()]).output().expect("ps");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a running process")
}
