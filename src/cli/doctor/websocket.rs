//! A websocket of the doctor, to see how long it stays open.

use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::runtime::Builder;
use tokio::time::{timeout, timeout_at};
use url::Url;

use super::http::{DoctorConnection, open};

/// For the connection and the handshake.
const OPENS_WITHIN: Duration = Duration::from_secs(15);

/// A pong without a payload, masked as a client must (RFC 6455 §5.3).
const PONG: [u8; 6] = [0x8A, 0x80, 0, 0, 0, 0];

const KEY: &str = "bGF0Y2hrZXktZG9jdG9yIQ==";

pub enum SocketEnd {
    After(Duration),
    NotWithin,
}

/// Opens a websocket, and waits until it ends. Blocks.
pub fn hold(url: &Url, path: &str, headers: &[(&str, &str)], within: Duration) -> Result<SocketEnd, String> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let ended = runtime.block_on(async {
        let opening = timeout(OPENS_WITHIN, handshake(url, path, headers)).await;
        let socket = opening.map_err(|_| "the handshake is not answered".to_owned())??;
        Ok(watch(socket, within).await)
    });
    runtime.shutdown_background();
    ended
}

async fn handshake(
    url: &Url,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<BufReader<Box<dyn DoctorConnection>>, String> {
    let failed = |error: std::io::Error| format!("the handshake fails: {error}");
    let mut stream = open(url, OPENS_WITHIN).await?;
    let host = url.host_str().unwrap_or_default();
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: latchkey-doctor\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{more}\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut reader = BufReader::new(stream);
    let mut status = String::new();
    reader.read_line(&mut status).await.map_err(failed)?;
    if status.split(' ').nth(1) != Some("101") {
        return Err(format!("the handshake is answered with {:?} instead of 101", status.trim_end()));
    }
    let mut line = status;
    while !line.trim_end().is_empty() {
        line.clear();
        if reader.read_line(&mut line).await.map_err(failed)? == 0 {
            return Err("the handshake is answered with half a head".into());
        }
    }
    Ok(reader)
}

/// Answers each ping until the other side ends the connection.
async fn watch(mut socket: BufReader<Box<dyn DoctorConnection>>, within: Duration) -> SocketEnd {
    let opened = Instant::now();
    let end = opened + within;
    let mut received = [0; 256];
    loop {
        let Ok(read) = timeout_at(end.into(), socket.read(&mut received)).await else {
            return SocketEnd::NotWithin;
        };
        let is_open = read.is_ok_and(|length| length > 0)
            && !is_close(&received)
            && socket.write_all(&PONG).await.is_ok();
        if !is_open {
            return SocketEnd::After(opened.elapsed());
        }
    }
}

/// The echo sends pings alone, so a Close frame is the proxy's.
fn is_close(received: &[u8]) -> bool {
    received.first().is_some_and(|first| first & 0x0F == 8)
}
