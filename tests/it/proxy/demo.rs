//! `latchkey app demo`: what it shows when it is asked directly.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::harness::Client;
use crate::support::process::{DataDir, Latchkey};

struct Demo {
    child: Child,
    port: u16,
    said: String,
}

impl Demo {
    fn start() -> Self {
        let dir = DataDir::new();
        let mut command = Latchkey::local(&dir).command(&["app", "demo", "--port", "0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program");
        let mut lines =
            BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let said: Vec<String> = lines.by_ref().take(3).collect();
        let port = said[0].rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        Self { child, port, said: said.join("\n") }
    }

    fn ask(&self, request: &str) -> super::harness::Answer {
        let mut client = Client::connect(self.port);
        client.send(request);
        client.read_all()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demo_shows_the_user_events_and_an_echo() {
    let demo = Demo::start();
    assert!(demo.said.contains(&format!("latchkey app add demo --upstream http://127.0.0.1:{}", demo.port)));
    assert!(demo.said.contains("http://demo.localhost:"), "{}", demo.said);
    let page = demo.ask(
        "GET / HTTP/1.1\r\nHost: a\r\nRemote-Name: C%C3%A9line\r\nRemote-User: <b>\r\nConnection: close\r\n\r\n",
    );
    assert!(page.body().contains("Hello, Céline") && !page.body().contains("<b>"), "{page:?}");
    let mut client = Client::connect(demo.port);
    client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut next = || client.read_for(Duration::from_secs(5), Duration::from_millis(300));
    let (first, second) = (next(), next());
    assert_eq!(first.values("content-type"), ["text/event-stream"]);
    assert!(first.text.contains("data: ") && second.text.contains("data: "), "{first:?} {second:?}");
}

#[test]
fn the_echo_of_the_demo_speaks_websocket() {
    let demo = Demo::start();
    let mut client = Client::connect(demo.port);
    client.send(
        "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let opened = client.read_all();
    assert_eq!(opened.status(), 101);
    assert_eq!(opened.values("sec-websocket-accept"), ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
    // "hi", masked with zeros.
    client.send([0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    assert_eq!(client.read_all().text.as_bytes(), "\u{FFFD}\u{2}hi".as_bytes());
    assert_eq!(demo.ask("GET /socket HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").status(), 400);
}
