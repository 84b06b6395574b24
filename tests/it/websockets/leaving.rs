//! If either side leaves, the other side learns of it.

use std::io::Read as _;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::passing::eventually_none;
use crate::proxy::harness::{Client, End, H, HOST, Proxied};
use crate::support::upstream::{After, Upstream};
use crate::websockets::client::{Frame, HANDSHAKE, WebSocket, websocket_app};

/// How soon the other side must learn of it. The promise is 50 ms, but the machine that runs the tests is busy.
const TOLD_WITHIN: Duration = Duration::from_millis(250);

/// An app that reads until the connection ends, and says when that was.
fn listening() -> (Upstream, Receiver<Instant>) {
    let (sender, ended) = mpsc::channel();
    let sender = Mutex::new(sender);
    let upstream = websocket_app(move |_, socket| {
        socket.send(&Frame::text("welcome"));
        socket.end();
        let _ = sender.lock().expect("one script").send(Instant::now());
    });
    (upstream, ended)
}

fn reset(socket: &WebSocket) {
    SockRef::from(&socket.stream).set_linger(Some(Duration::ZERO)).expect("a socket");
}

#[test]
fn the_app_is_told_when_the_client_leaves() {
    for resets in [false, true] {
        let (upstream, ended) = listening();
        let proxied = Proxied::to(&upstream);
        let mut socket = WebSocket::open(proxied.port, HOST, "/", "").expect("an answer 101");
        assert_eq!(socket.read(), Ok(Frame::text("welcome")));
        if resets {
            reset(&socket);
        }
        let left = Instant::now();
        drop(socket);
        let told = ended.recv_timeout(Duration::from_secs(5)).expect("the app is told");
        assert!(told - left < TOLD_WITHIN, "{resets}: {:?}", told - left);
        eventually_none(&proxied);
    }
}

/// Also if the client sent something after its handshake.
#[test]
fn the_app_is_told_when_the_client_leaves_before_the_answer() {
    for sent_too_early in ["", "x"] {
        let (sender, ended) = mpsc::channel();
        let sender = Mutex::new(sender);
        let upstream = Upstream::scripted(move |_, stream| {
            let read = stream.read(&mut [0]);
            let has_ended = read.is_err() || matches!(read, Ok(0));
            let _ = sender.lock().expect("one script").send((Instant::now(), has_ended));
            After::Close
        });
        let proxied = Proxied::to(&upstream);
        let mut client = Client::connect(proxied.port);
        client.send(format!("GET / HTTP/1.1\r\n{H}{HANDSHAKE}\r\n"));
        upstream.wait_for(1);
        client.send(sent_too_early);
        thread::sleep(Duration::from_millis(50));
        let left = Instant::now();
        drop(client);
        let (told, has_ended) = ended.recv_timeout(Duration::from_secs(5)).expect("the app is told");
        assert!(has_ended && told - left < TOLD_WITHIN, "{sent_too_early:?}: {:?}", told - left);
        eventually_none(&proxied);
    }
}

#[test]
fn the_client_is_told_when_the_app_leaves() {
    for (resets, expected) in [(false, End::Closed), (true, End::Reset)] {
        let (sender, left) = mpsc::channel();
        let sender = Mutex::new(sender);
        let upstream = websocket_app(move |_, socket| {
            socket.send(&Frame::text("welcome"));
            assert_eq!(socket.read(), Ok(Frame::text("go")));
            if resets {
                reset(socket);
            }
            let _ = sender.lock().expect("one script").send(Instant::now());
        });
        let proxied = Proxied::to(&upstream);
        let mut socket = WebSocket::open(proxied.port, HOST, "/", "").expect("an answer 101");
        assert_eq!(socket.read(), Ok(Frame::text("welcome")));
        socket.send(&Frame::text("go"));
        assert_eq!(socket.read(), Err(expected));
        let told = Instant::now();
        let left = left.recv_timeout(Duration::from_secs(5)).expect("the app leaves");
        assert!(told - left < TOLD_WITHIN, "{resets}: {:?}", told - left);
        drop(socket);
        eventually_none(&proxied);
    }
}

#[test]
fn a_client_that_stays_open_after_the_app_has_ended_is_disconnected() {
    let upstream = websocket_app(|_, _| {});
    let proxied = Proxied::to(&upstream);
    let mut socket = WebSocket::open(proxied.port, HOST, "/", "").expect("an answer 101");
    assert_eq!(socket.read(), Err(End::Closed));
    assert_eq!(proxied.shared.tunnels(), 1);
    thread::sleep(Duration::from_secs(4));
    eventually_none(&proxied);
}

#[test]
fn a_side_that_reads_nothing_for_too_long_ends_the_websocket() {
    // The app sends, and its client does not read.
    let upstream = websocket_app(|request, socket| {
        if request.target() == "/down" {
            while socket.send(&Frame::binary(vec![1; 1 << 20])) {}
        } else {
            thread::sleep(Duration::from_secs(3));
        }
    });
    let proxied = Proxied::with_app(&upstream, |app| app.limits.idle = Duration::from_millis(500));
    let socket = WebSocket::open(proxied.port, HOST, "/down", "").expect("an answer 101");
    eventually_none(&proxied);
    drop(socket);
    // The client sends, and the app does not read.
    let mut socket = WebSocket::open(proxied.port, HOST, "/up", "").expect("an answer 101");
    let since = Instant::now();
    while socket.send(&Frame::binary(vec![1; 1 << 20])) {}
    assert!(since.elapsed() < Duration::from_millis(2500), "{:?}", since.elapsed());
    eventually_none(&proxied);
}
