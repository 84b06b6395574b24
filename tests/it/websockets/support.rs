//! Websockets of users.

use crate::front::support::{User, Wiki};
use crate::proxy::harness::Answer;
use crate::websockets::client::WebSocket;

/// The header with which a page of the app opens a websocket.
pub fn origin_header(wiki: &Wiki) -> String {
    format!("Origin: {}\r\n", wiki.origin)
}

/// Opens a websocket of the app with the cookies of `user`.
pub fn open_as(wiki: &Wiki, user: &User, headers: &str) -> Result<WebSocket, Answer> {
    open_at(wiki, user, "/socket", headers)
}

pub fn open_at(wiki: &Wiki, user: &User, path: &str, headers: &str) -> Result<WebSocket, Answer> {
    let host = wiki.origin.strip_prefix("http://").expect("an origin");
    let port = host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let cookies: Vec<String> =
        user.at_app.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    WebSocket::open(port, host, path, &format!("Cookie: {}\r\n{headers}", cookies.join("; ")))
}
