//! Upstreams with TLS.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use latchkey::apps::{App, Upstream as UpstreamAddress};

use super::harness::{Proxied, app_at};
use crate::support::certificates::Certificates;

/// Answers requests with "ok".
const OK_SERVER: &str = r#"

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

"#;

/// Accepts every websocket, and sends each frame back until it has sent a Close back.
pub const ECHO_SERVER: &str = r#"
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response_only(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        first = 0
        while first != 0x88:
            first, length = self.rfile.read(2)
            length &= 0x7F
            extended = self.rfile.read({126: 2, 127: 8}.get(length, 0))
            if extended:
                length = int.from_bytes(extended, "big")
            mask = self.rfile.read(4)
            payload = self.rfile.read(length)
            repeated = (mask * (length // 4 + 1))[:length]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(length, "big")
            self.wfile.write(bytes([first, {2: 126, 8: 127}.get(len(extended), length)]) + extended + payload)
        self.close_connection = True
"#;

/// Serves with the certificate and the key in its arguments until its input ends. Prints its port first.
const SERVE: &str = r#"
import base64, hashlib, http.server, ssl, sys, threading
HANDLER
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
"#;

/// A server with TLS, in Python.
pub struct TlsServer {
    child: Child,
    port: u16,
}

impl TlsServer {
    /// * `handler`: the class that answers.
    /// * `name`: of its certificate.
    pub fn run(handler: &str, certificates: &Certificates, name: &str) -> Self {
        let file = |kind: &str| certificates.file(&format!("{name}.{kind}"));
        let mut child = Command::new("python3")
            .args(["-c", &SERVE.replace("HANDLER", handler)])
            .args([file("pem"), file("key")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        Self { child, port: line.trim().parse().expect("a port") }
    }

    /// An app with this upstream.
    pub fn app(&self, ca: Option<&str>) -> App {
        let mut app = app_at("https://localhost");
        let upstream = UpstreamAddress::parse(&format!("https://localhost:{}", self.port), ca);
        app.upstream = Some(upstream.expect("an upstream"));
        app
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn through(server: &TlsServer, ca: Option<&str>) -> u16 {
    Proxied::with(server.app(ca)).get("/").status()
}

#[test]
fn a_certificate_is_verified_against_the_apps_authority() {
    let certificates = Certificates::new();
    let ca = fs::read_to_string(certificates.file("ca.pem")).expect("a file");
    let right = TlsServer::run(OK_SERVER, &certificates, "right");
    assert_eq!(through(&right, Some(&ca)), 200);
    assert_eq!(through(&right, None), 502, "the system does not know this authority");
    for wrong in ["other", "old", "stranger"] {
        assert_eq!(through(&TlsServer::run(OK_SERVER, &certificates, wrong), Some(&ca)), 502, "{wrong}");
    }
}

/// Closes a connection, as TLS asks for, when a second request arrives on it.
const CLOSING_SERVER: &str = r#"
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served = 0

    def do_GET(self):
        self.served += 1
        if self.served == 2:
            self.close_connection = True
            self.connection.settimeout(1)
            try:
                self.connection.unwrap()
            except OSError:
                pass
            return
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
"#;

#[test]
fn a_get_on_a_connection_that_tls_closes_is_repeated_on_a_new_one() {
    let certificates = Certificates::new();
    let ca = fs::read_to_string(certificates.file("ca.pem")).expect("a file");
    let server = TlsServer::run(CLOSING_SERVER, &certificates, "right");
    let proxied = Proxied::with(server.app(Some(&ca)));
    for number in 1..=4 {
        assert_eq!(proxied.get("/").status(), 200, "request {number}");
    }
}

/// The end of the connection is the end of the body. `?cut`: without the closure alert of TLS.
const UNTIL_END_SERVER: &str = r#"
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"half")
        self.wfile.flush()
        if "cut" not in self.path:
            self.connection.settimeout(1)
            try:
                self.connection.unwrap()
            except OSError:
                pass
"#;

#[test]
fn a_body_whose_tls_connection_was_cut_is_not_passed_on_as_complete() {
    let certificates = Certificates::new();
    let ca = fs::read_to_string(certificates.file("ca.pem")).expect("a file");
    let server = TlsServer::run(UNTIL_END_SERVER, &certificates, "right");
    let proxied = Proxied::with(server.app(Some(&ca)));
    let whole = proxied.get("/");
    assert!(whole.text.ends_with("4\r\nhalf\r\n0\r\n\r\n"), "{}", whole.text);
    let cut = proxied.get("/?cut");
    assert!(cut.text.contains("half") && !cut.text.ends_with("0\r\n\r\n"), "{}", cut.text);
}
