//! How many websockets there may be.

use std::io::Write as _;

use super::passing::eventually_none;
use crate::proxy::harness::{HOST, Proxied, app_at};
use crate::support::upstream::{After, OK, Upstream};
use crate::websockets::client::{Frame, WebSocket};

/// Websockets at `/socket`, "ok" elsewhere.
fn mixed() -> Upstream {
    Upstream::scripted(|request, stream| {
        if request.target() == "/socket" {
            WebSocket::accept(request, stream, "").echo();
            return After::Close;
        }
        let _ = stream.write_all(OK);
        After::KeepOpen
    })
}

#[test]
fn websockets_beyond_the_limit_get_503_and_requests_go_on() {
    let upstream = mixed();
    // One of eight is left to other apps.
    let proxied = Proxied::named(app_at(&upstream.url()), "Ada", 16);
    let open = || WebSocket::open(proxied.port, HOST, "/socket", "");
    let mut sockets: Vec<WebSocket> = (0..14).map(|_| open().expect("an answer 101")).collect();
    let refused = open().err().expect("a refusal");
    assert_eq!(refused.status(), 503);
    assert_eq!((proxied.shared.tunnels(), upstream.received().len()), (14, 14));
    assert_eq!(proxied.get("/page").status(), 200);
    let mut last = sockets.pop().expect("a socket");
    last.send(&Frame::close(1000, ""));
    last.end();
    drop(last);
    let mut again = None;
    for _ in 0..200 {
        again = open().ok();
        if again.is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(again.is_some(), "a place is free again");
    drop((sockets, again));
    eventually_none(&proxied);
}

#[test]
fn websockets_do_not_count_as_concurrent_requests() {
    let upstream = mixed();
    let proxied = Proxied::with_app(&upstream, |app| app.limits.max_in_flight = 1);
    let mut sockets: Vec<WebSocket> =
        (0..5).map(|_| WebSocket::open(proxied.port, HOST, "/socket", "").expect("an answer 101")).collect();
    for _ in 0..3 {
        assert_eq!(proxied.get("/page").status(), 200);
    }
    for socket in &mut sockets {
        socket.send(&Frame::text("hello"));
        assert_eq!(socket.read(), Ok(Frame::text("hello")));
    }
}
