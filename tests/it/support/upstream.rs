//! A program behind an app, on real sockets: records every request and answers as its script says, right or wrong.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A response of two bytes.
pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// How many requests came before it on this connection.
    pub earlier: usize,
    pub line: String,
    /// In the order in which they arrived; names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }
}

/// What happens to the connection after a response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum After {
    KeepOpen,
    Close,
    /// Ends it as an error, if the script has set its linger time to zero.
    Reset,
}

/// How much of a request is read before the script runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reads {
    Everything,
    HeadOnly,
}

type Script = dyn Fn(&Received, &mut TcpStream) -> After + Send + Sync;

pub struct Upstream {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    stopped: AtomicBool,
    reads: Reads,
    script: Box<Script>,
}

impl Upstream {
    /// Answers every request with the same bytes.
    pub fn answering(response: &[u8]) -> Self {
        let response = response.to_vec();
        Self::scripted(move |_, stream| {
            let _ = stream.write_all(&response);
            After::KeepOpen
        })
    }

    /// Answers every request with these bytes, then closes the connection.
    pub fn answering_and_closing(response: &[u8]) -> Self {
        let response = response.to_vec();
        Self::scripted(move |_, stream| {
            let _ = stream.write_all(&response);
            After::Close
        })
    }

    pub fn scripted(script: impl Fn(&Received, &mut TcpStream) -> After + Send + Sync + 'static) -> Self {
        Self::reading(Reads::Everything, script)
    }

    pub fn reading(
        reads: Reads,
        script: impl Fn(&Received, &mut TcpStream) -> After + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its number").port();
        let state = Arc::new(State {
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            reads,
            script: Box::new(script),
        });
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (state, Ok(stream)) = (Arc::clone(&accepting), stream) else { continue };
                state.connections.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || {
                    let _ = state.converse(stream);
                });
            }
        });
        Self { port, state }
    }

    /// The address for `app add --upstream`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Received> {
        self.state.received.lock().expect("no script panics").clone()
    }

    /// The only request so far.
    #[track_caller]
    pub fn only_request(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received[0].clone()
    }

    /// Waits until there are this many requests.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        let since = Instant::now();
        loop {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            assert!(since.elapsed() < Duration::from_secs(10), "{count} requests expected: {received:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn forget(&self) {
        self.state.received.lock().expect("no script panics").clear();
    }

    /// Connections that were opened so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::with_capacity(64 * 1024, stream.try_clone()?);
        for earlier in 0.. {
            let Some(mut request) = read_head(&mut reader, earlier)? else { break };
            if self.reads == Reads::Everything {
                request.body = read_body(&mut reader, &request)?;
            }
            self.received.lock().expect("no script panics").push(request.clone());
            match (self.script)(&request, &mut stream) {
                After::KeepOpen => {}
                After::Close => break,
                After::Reset => return Ok(()),
            }
        }
        stream.shutdown(Shutdown::Both)
    }
}

fn read_head(reader: &mut BufReader<TcpStream>, earlier: usize) -> io::Result<Option<Received>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut header = Vec::new();
        reader.read_until(b'\n', &mut header)?;
        let header = String::from_utf8_lossy(&header);
        let header = header.trim_end();
        let Some((name, value)) = header.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Some(Received { earlier, line: line.trim_end().to_owned(), headers, body: Vec::new() }))
}

fn read_body(reader: &mut BufReader<TcpStream>, request: &Received) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if let Some(length) = request.values("content-length").first() {
        let length: u64 = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        if (reader.take(length).read_to_end(&mut body)? as u64) < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    } else if request.values("transfer-encoding").contains(&"chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).map_err(|_| io::ErrorKind::UnexpectedEof)?;
            if (reader.by_ref().take(size).read_to_end(&mut body)? as u64) < size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            reader.read_line(&mut String::new())?;
            if size == 0 {
                break;
            }
        }
    }
    Ok(body)
}
