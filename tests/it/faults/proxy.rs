//! A TCP port that forwards to a database's socket, can switch to another database, and can drop all packets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[derive(Default)]
struct Way {
    socket: Mutex<String>,
    swallows: AtomicBool,
    over: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

pub struct Proxy {
    port: u16,
    way: Arc<Way>,
}

impl Proxy {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let way: Arc<Way> = Arc::default();
        let shared = Arc::clone(&way);
        thread::spawn(move || {
            for outside in listener.incoming().map_while(Result::ok) {
                if shared.over.load(Ordering::Acquire) {
                    return;
                }
                let way = Arc::clone(&shared);
                thread::spawn(move || way.carry(outside));
            }
        });
        Self { port, way }
    }

    /// Affects new connections only.
    pub fn lead_to(&self, url: &str) {
        let url = url::Url::parse(&url.replace("@/", "@localhost/")).expect("a URL");
        let part =
            |name: &str| url.query_pairs().find(|(key, _)| key == name).expect("a part").1.into_owned();
        *self.way.socket.lock().expect("a lock") = format!("{}/.s.PGSQL.{}", part("host"), part("port"));
    }

    pub fn url(&self) -> String {
        format!("postgresql://latchkey@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// Drops everything without closing the connections.
    pub fn swallow(&self, swallows: bool) {
        self.way.swallows.store(swallows, Ordering::Release);
    }

    /// Resets every connection, as when the machine behind it dies and the network reports it.
    pub fn cut(&self) {
        for stream in self.way.open.lock().expect("a lock").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.way.over.store(true, Ordering::Release);
        self.swallow(false);
        self.cut();
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Way {
    fn carry(self: Arc<Self>, outside: TcpStream) {
        self.wait();
        let socket = self.socket.lock().expect("a lock").clone();
        let Ok(inside) = UnixStream::connect(socket) else { return };
        self.open.lock().expect("a lock").push(outside.try_clone().expect("a stream"));
        let (from, into) = (outside.try_clone().expect("a stream"), inside.try_clone().expect("a stream"));
        let way = Arc::clone(&self);
        thread::spawn(move || {
            way.copy(from, &into);
            let _ = into.shutdown(Shutdown::Both);
        });
        let into = outside.try_clone().expect("a stream");
        self.copy(inside, &into);
        let _ = outside.shutdown(Shutdown::Both);
    }

    fn copy(&self, mut from: impl Read, mut into: impl Write) {
        let mut bytes = [0; 16 * 1024];
        loop {
            let read = match from.read(&mut bytes) {
                Ok(0) | Err(_) => return,
                Ok(read) => read,
            };
            self.wait();
            if into.write_all(&bytes[..read]).is_err() {
                return;
            }
        }
    }

    fn wait(&self) {
        while self.swallows.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
