//! Data from either side arrives unchanged at the other.

use std::io::{Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use crate::proxy::harness::{End, HOST, Proxied};
use crate::support::upstream::{After, Upstream};
use crate::websockets::client::{Frame, WebSocket, echo_app, websocket_app};

const MESSAGE: usize = 8 * 1024 * 1024;

/// Bytes that repeat after no power of two.
fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

fn open(proxied: &Proxied) -> WebSocket {
    WebSocket::open(proxied.port, HOST, "/socket", "").unwrap_or_else(|answer| panic!("{answer:?}"))
}

#[test]
fn messages_of_every_kind_and_size_arrive_as_they_were_sent() {
    let upstream = echo_app();
    let proxied = Proxied::to(&upstream);
    let mut socket = open(&proxied);
    for frame in [
        Frame::text("Žlutý kůň"),
        Frame::binary([]),
        Frame::binary(noise(125)),
        Frame::binary(noise(126)),
        Frame::binary(noise(0x1_0000)),
        Frame::binary(noise(MESSAGE)),
        Frame::compressed(&noise(300)),
        Frame::text("after all of them"),
    ] {
        let mut writer = socket.stream.try_clone().expect("a socket");
        let bytes = frame.bytes(true);
        let sending = thread::spawn(move || writer.write_all(&bytes).expect("an open connection"));
        assert_eq!(socket.read().as_ref(), Ok(&frame), "{} bytes", frame.payload.len());
        sending.join().expect("no panic");
    }
    assert_eq!(proxied.shared.tunnels(), 1);
}

#[test]
fn a_message_in_parts_arrives_in_the_same_parts_with_the_ping_between_them() {
    let upstream = echo_app();
    let proxied = Proxied::to(&upstream);
    let mut socket = open(&proxied);
    let parts =
        [Frame::first_part("one "), Frame::ping("alive?"), Frame::part("two "), Frame::last_part("three")];
    // Byte by byte, so that no part arrives whole.
    for byte in parts.iter().flat_map(|part| part.bytes(true)) {
        socket.send_bytes(&[byte]);
    }
    let echoed =
        [Frame::first_part("one "), Frame::pong("alive?"), Frame::part("two "), Frame::last_part("three")];
    for part in echoed {
        assert_eq!(socket.read(), Ok(part));
    }
}

#[test]
fn the_app_may_choose_an_extension_and_a_protocol() {
    let upstream = Upstream::scripted(|request, stream| {
        let chosen = "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat.v2\r\n";
        WebSocket::accept(request, stream, chosen).echo();
        After::Close
    });
    let proxied = Proxied::to(&upstream);
    let offered = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
                   Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n";
    let mut socket = WebSocket::open(proxied.port, HOST, "/socket?room=1", offered).expect("an answer 101");
    let opened = socket.opened.to_ascii_lowercase();
    for header in ["sec-websocket-extensions: permessage-deflate", "sec-websocket-protocol: chat.v2"] {
        assert!(opened.contains(header), "{opened}");
    }
    let seen = upstream.only_request();
    assert_eq!(seen.target(), "/socket?room=1");
    assert_eq!(seen.values("sec-websocket-extensions"), ["permessage-deflate; client_max_window_bits"]);
    let compressed = Frame::compressed(&[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]);
    socket.send(&compressed);
    assert_eq!(socket.read(), Ok(compressed));
}

#[test]
fn data_that_the_app_sends_with_its_response_arrives() {
    let upstream = Upstream::scripted(|request, stream| {
        let mut socket = WebSocket::accept(request, stream, "");
        // Often in one segment with the head.
        socket.send(&Frame::text("at once"));
        socket.echo();
        After::Close
    });
    let proxied = Proxied::to(&upstream);
    for _ in 0..20 {
        assert_eq!(open(&proxied).read(), Ok(Frame::text("at once")));
    }
}

#[test]
fn either_side_can_close_with_its_own_code() {
    let upstream = websocket_app(|request, socket| {
        if request.target() == "/app-closes" {
            socket.send(&Frame::close(4010, "enough"));
            // The client's Close comes back, then the app ends the connection (RFC 6455 §7.1.1).
            assert_eq!(socket.read().map(|frame| frame.close_code()), Ok(Some(4010)));
        } else {
            socket.echo();
        }
    });
    let proxied = Proxied::to(&upstream);
    let mut socket = WebSocket::open(proxied.port, HOST, "/app-closes", "").expect("an answer 101");
    assert_eq!(socket.read(), Ok(Frame::close(4010, "enough")));
    socket.send(&Frame::close(4010, ""));
    assert_eq!(socket.end(), End::Closed);
    let mut socket = open(&proxied);
    socket.send(&Frame::close(1000, "bye"));
    assert_eq!(socket.read(), Ok(Frame::close(1000, "bye")));
    assert_eq!(socket.end(), End::Closed);
}

#[test]
fn a_side_that_has_finished_still_receives() {
    let upstream = websocket_app(|request, socket| {
        if request.target() == "/app-finishes" {
            socket.send(&Frame::text("no more from me"));
            socket.finish_writing();
            assert_eq!(socket.read(), Ok(Frame::binary(noise(MESSAGE / 8))));
            assert_eq!(socket.end(), End::Closed);
        } else {
            assert_eq!(socket.read(), Ok(Frame::text("last words")));
            assert_eq!(socket.end(), End::Closed, "the client's end arrives");
            socket.send(&Frame::binary(noise(MESSAGE)));
        }
    });
    let proxied = Proxied::to(&upstream);
    let mut socket = open(&proxied);
    socket.send(&Frame::text("last words"));
    socket.finish_writing();
    assert_eq!(socket.read(), Ok(Frame::binary(noise(MESSAGE))));
    assert_eq!(socket.end(), End::Closed);

    let mut socket = WebSocket::open(proxied.port, HOST, "/app-finishes", "").expect("an answer 101");
    assert_eq!(socket.read(), Ok(Frame::text("no more from me")));
    assert_eq!(socket.end(), End::Closed, "the app's end arrives");
    assert!(socket.send(&Frame::binary(noise(MESSAGE / 8))));
    socket.finish_writing();
    eventually_none(&proxied);
}

/// Waits until no websocket is open.
#[track_caller]
pub fn eventually_none(proxied: &Proxied) {
    let since = Instant::now();
    while proxied.shared.tunnels() > 0 {
        assert!(since.elapsed() < Duration::from_secs(10), "{} are open", proxied.shared.tunnels());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_slow_reader_slows_the_sender_down_and_loses_nothing() {
    const ROUNDS: usize = 8;
    let upstream = websocket_app(|request, socket| {
        if request.target() == "/down" {
            for _ in 0..ROUNDS {
                socket.send(&Frame::binary(noise(MESSAGE)));
            }
        } else {
            thread::sleep(Duration::from_millis(500));
            for _ in 0..ROUNDS {
                assert_eq!(socket.read(), Ok(Frame::binary(noise(MESSAGE))));
            }
            socket.send(&Frame::text("all"));
        }
    });
    let proxied = Proxied::to(&upstream);
    let mut socket = WebSocket::open(proxied.port, HOST, "/down", "").expect("an answer 101");
    thread::sleep(Duration::from_millis(500));
    for _ in 0..ROUNDS {
        assert_eq!(socket.read(), Ok(Frame::binary(noise(MESSAGE))));
    }
    assert_eq!(socket.end(), End::Closed);
    let mut socket = WebSocket::open(proxied.port, HOST, "/up", "").expect("an answer 101");
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        assert!(socket.send(&Frame::binary(noise(MESSAGE))));
    }
    assert!(begun.elapsed() > Duration::from_millis(300), "64 MB went into buffers");
    assert_eq!(socket.read(), Ok(Frame::text("all")));
}

#[test]
fn an_idle_websocket_outlives_the_time_limits_of_requests() {
    let upstream = echo_app();
    let proxied = Proxied::with_app(&upstream, |app| {
        app.limits.idle = Duration::from_millis(200);
        app.limits.head = Duration::from_millis(200);
    });
    let mut socket = open(&proxied);
    thread::sleep(Duration::from_millis(1500));
    socket.send(&Frame::text("still here"));
    assert_eq!(socket.read(), Ok(Frame::text("still here")));
}

#[test]
fn many_websockets_and_requests_share_a_worker() {
    let upstream = Upstream::scripted(|request, stream| {
        if request.target() == "/page" {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            return After::KeepOpen;
        }
        WebSocket::accept(request, stream, "").echo();
        After::Close
    });
    let proxied = Proxied::to(&upstream);
    let mut sockets: Vec<WebSocket> = (0..30).map(|_| open(&proxied)).collect();
    for round in 0..5 {
        for (at, socket) in sockets.iter_mut().enumerate() {
            socket.send(&Frame::text(&format!("{round}-{at}")));
        }
        assert_eq!(proxied.get("/page").status(), 200);
        for (at, socket) in sockets.iter_mut().enumerate() {
            assert_eq!(socket.read(), Ok(Frame::text(&format!("{round}-{at}"))));
        }
    }
    drop(sockets);
    eventually_none(&proxied);
}

#[test]
fn bytes_that_are_not_frames_pass_too() {
    let upstream = Upstream::scripted(|request, stream| {
        let mut socket = WebSocket::accept(request, stream, "");
        let mut bytes = [0; 5];
        socket.stream.read_exact(&mut bytes).expect("five bytes");
        socket.send_bytes(&bytes);
        After::Close
    });
    let proxied = Proxied::to(&upstream);
    let mut socket = open(&proxied);
    socket.send_bytes(b"\xFF\xFF\xFF\xFF\xFF");
    let mut back = [0; 5];
    socket.stream.read_exact(&mut back).expect("five bytes");
    assert_eq!(&back, b"\xFF\xFF\xFF\xFF\xFF");
}
