//! A reverse proxy that adds `X-Forwarded-For` and changes answers as configured.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Listens for as long as the test process lives; returns its port.
pub fn proxy(upstream: u16, change: fn(String) -> String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || pass_on(client, upstream, change));
        }
    });
    port
}

fn pass_on(mut client: TcpStream, upstream: u16, change: fn(String) -> String) -> Option<()> {
    let (mut request, mut some) = (Vec::new(), [0; 4096]);
    while !request.ends_with(b"\r\n\r\n") {
        let read = client.read(&mut some).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&some[..read]);
    }
    let head = String::from_utf8(request).ok()?;
    let caller = client.peer_addr().ok()?.ip();
    let claimed = head.lines().find_map(|line| line.strip_prefix("X-Forwarded-For: "));
    let claimed = claimed.map_or_else(String::new, |claimed| format!("{claimed}, "));
    let lines = head.trim_end().lines().filter(|line| !line.starts_with("X-Forwarded-For"));
    let head =
        lines.collect::<Vec<_>>().join("\r\n") + &format!("\r\nX-Forwarded-For: {claimed}{caller}\r\n\r\n");
    let mut server = TcpStream::connect(("127.0.0.1", upstream)).ok()?;
    server.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let (head, body) = answer.split_at(end);
    client.write_all(change(String::from_utf8(head.to_vec()).ok()?).as_bytes()).ok()?;
    client.write_all(body).ok()
}
