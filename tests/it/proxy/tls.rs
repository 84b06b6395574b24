//! Upstreams with TLS.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use latchkey::apps::Upstream as UpstreamAddress;
use tokio_native_tls::native_tls::{Identity, TlsAcceptor};

use super::harness::{Proxied, app_at};
use crate::support::certificates::Certificates;
use crate::support::upstream::OK;

/// Serves one response a connection with this certificate; returns its port.
fn serve(certificates: &Certificates, name: &str) -> u16 {
    let read = |kind: &str| fs::read(certificates.file(&format!("{name}.{kind}"))).expect("a file");
    let identity = Identity::from_pkcs8(&read("pem"), &read("key")).expect("a certificate");
    let acceptor = TlsAcceptor::new(identity).expect("an acceptor");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its number").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Ok(mut stream) = acceptor.accept(stream) {
                let mut bytes = [0; 4096];
                while stream.read(&mut bytes).is_ok_and(|count| count > 0) {
                    let _ = stream.write_all(OK);
                }
            }
        }
    });
    port
}

fn through(port: u16, ca: Option<&str>) -> u16 {
    let mut app = app_at("https://localhost");
    app.upstream =
        Some(UpstreamAddress::parse(&format!("https://localhost:{port}"), ca).expect("an upstream"));
    Proxied::with(app).get("/").status()
}

#[test]
fn a_certificate_is_verified_against_the_apps_authority() {
    let certificates = Certificates::new();
    let ca = fs::read_to_string(certificates.file("ca.pem")).expect("a file");
    let right = serve(&certificates, "right");
    assert_eq!(through(right, Some(&ca)), 200);
    assert_eq!(through(right, None), 502, "the system does not know this authority");
    for wrong in ["other", "old", "stranger"] {
        assert_eq!(through(serve(&certificates, wrong), Some(&ca)), 502, "{wrong}");
    }
}
