//! The cost of an idle websocket.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use nix::sys::signal::Signal;

use crate::support::db::TestDb;
use crate::support::process::{Latchkey, Running};
use crate::websockets::client::{Frame, KEY, WebSocket};

/// One instance must carry this many.
const SOCKETS: u64 = 2000;

/// Opened first, so that memory that is allocated only once is not counted.
const WARM: u64 = 100;

/// Bytes of memory for one.
const MOST: u64 = 4096;

/// Accepts websockets one after the other, and keeps them open.
fn patient_app() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its number").port();
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
                head.extend(byte);
            }
            let accept = latchkey::web::proxy::accept_of(KEY.as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.write_all(&Frame::text("welcome").bytes(false));
            open.push(stream);
        }
    });
    port
}

fn open(latchkey: &Latchkey, count: u64) -> Vec<WebSocket> {
    let host = format!("wiki.localhost:{}", latchkey.port);
    let headers = format!("Origin: http://{host}\r\nUser-Agent: a browser with a long name\r\n");
    let open = |_| {
        let mut socket = WebSocket::open(latchkey.port, &host, "/socket", &headers)
            .unwrap_or_else(|answer| panic!("{answer:?}"));
        assert_eq!(socket.read(), Ok(Frame::text("welcome")));
        socket
    };
    (0..count).map(open).collect()
}

/// The resident memory of the program in bytes.
fn resident(running: &Running) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

#[actix_web::test]
async fn two_thousand_idle_websockets_take_at_most_four_kilobytes_each() {
    let db = TestDb::new();
    let latchkey = Latchkey::on(&db.url());
    latchkey.run(&["migrate"]).well();
    let upstream = format!("http://127.0.0.1:{}", patient_app());
    let origin = format!("http://wiki.localhost:{}", latchkey.port);
    // It warns that the app has no rule yet.
    assert_eq!(
        latchkey.run(&["app", "add", "wiki", "--upstream", &upstream, "--origin", &origin]).code,
        Some(0)
    );
    latchkey.run(&["app", "rule", "add", "wiki", "--allow", "open"]).well();
    let mut running = latchkey.serve_ready().await;
    let first = open(&latchkey, WARM);
    let before = resident(&running);
    let further = open(&latchkey, SOCKETS - WARM);
    let each = resident(&running).saturating_sub(before) / (SOCKETS - WARM);
    println!("{SOCKETS} idle websockets: {each} bytes each");
    assert!(each <= MOST, "{each} bytes for an idle websocket");
    // Each gets a Close frame when the instance stops.
    let stopping = thread::spawn(move || {
        for mut socket in first.into_iter().chain(further) {
            assert_eq!(socket.read().map(|frame| frame.close_code()), Ok(Some(1001)));
        }
    });
    running.stop(Signal::SIGTERM).await;
    stopping.join().expect("every client was told");
}
