//! Upstreams with TLS.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use latchkey::apps::Upstream as UpstreamAddress;

use super::harness::{Proxied, app_at};
use crate::support::certificates::Certificates;

/// Answers requests with "ok" until its input ends, and first prints its port.
const SERVER: &str = r#"
import http.server, ssl, sys, threading

class Ok(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ok)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
"#;

struct Https {
    child: Child,
    port: u16,
}

impl Https {
    /// With the certificate of this name.
    fn serve(certificates: &Certificates, name: &str) -> Self {
        let file = |kind: &str| certificates.file(&format!("{name}.{kind}"));
        let mut child = Command::new("python3")
            .args(["-c", SERVER])
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
}

impl Drop for Https {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn through(https: &Https, ca: Option<&str>) -> u16 {
    let mut app = app_at("https://localhost");
    app.upstream =
        Some(UpstreamAddress::parse(&format!("https://localhost:{}", https.port), ca).expect("an upstream"));
    Proxied::with(app).get("/").status()
}

#[test]
fn a_certificate_is_verified_against_the_apps_authority() {
    let certificates = Certificates::new();
    let ca = fs::read_to_string(certificates.file("ca.pem")).expect("a file");
    let right = Https::serve(&certificates, "right");
    assert_eq!(through(&right, Some(&ca)), 200);
    assert_eq!(through(&right, None), 502, "the system does not know this authority");
    for wrong in ["other", "old", "stranger"] {
        assert_eq!(through(&Https::serve(&certificates, wrong), Some(&ca)), 502, "{wrong}");
    }
}
