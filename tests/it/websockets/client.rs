//! A minimal websocket implementation for both sides: raw frames (RFC 6455), and how the connection ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use latchkey::web::proxy::accept_of;

use crate::support::upstream::{After, Received, Upstream};
use socket2::SockRef;

use crate::proxy::harness::{Answer, Client, End};

/// The key of the RFC.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The headers of a handshake, without `Host`.
pub const HANDSHAKE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const FIN: u8 = 0x80;
/// Set on the first frame of a compressed message (RFC 7692).
pub const COMPRESSED: u8 = 0x40;
const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

const MASK: [u8; 4] = [0x1F, 0xA2, 0x03, 0x74];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub first: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    fn new(first: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { first, payload: payload.into() }
    }

    pub fn text(text: &str) -> Self {
        Self::new(FIN | TEXT, text)
    }

    pub fn binary(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(FIN | BINARY, payload)
    }

    /// The first frame of a message in several.
    pub fn first_part(text: &str) -> Self {
        Self::new(TEXT, text)
    }

    pub fn part(text: &str) -> Self {
        Self::new(CONTINUATION, text)
    }

    pub fn last_part(text: &str) -> Self {
        Self::new(FIN | CONTINUATION, text)
    }

    pub fn compressed(payload: &[u8]) -> Self {
        Self::new(FIN | COMPRESSED | TEXT, payload)
    }

    pub fn ping(payload: &str) -> Self {
        Self::new(FIN | PING, payload)
    }

    pub fn pong(payload: &str) -> Self {
        Self::new(FIN | PONG, payload)
    }

    pub fn close(code: u16, reason: &str) -> Self {
        Self::new(FIN | CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// The code, if this is a Close frame.
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        code.filter(|_| self.first == FIN | CLOSE)
    }

    pub fn bytes(&self, masked: bool) -> Vec<u8> {
        let mask_bit = if masked { 0x80 } else { 0 };
        let mut bytes = vec![self.first];
        match self.payload.len() {
            length @ 0..126 => bytes.push(mask_bit | length as u8),
            length @ 126..=0xFFFF => {
                bytes.push(mask_bit | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(mask_bit | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        if masked {
            bytes.extend(MASK);
            bytes.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            bytes.extend(&self.payload);
        }
        bytes
    }
}

/// One side of an open websocket.
pub struct WebSocket {
    pub stream: TcpStream,
    is_client: bool,
    /// The response that opened it.
    pub opened: String,
}

impl WebSocket {
    /// Sends the handshake. `Err`: the response that refused it, and how the connection ended then.
    pub fn open(port: u16, host: &str, path: &str, headers: &str) -> Result<Self, Answer> {
        let mut client = Client::connect(port);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{HANDSHAKE}{headers}\r\n"));
        Self::opened(client)
    }

    /// Reads the response to a handshake.
    pub fn opened(mut client: Client) -> Result<Self, Answer> {
        client.0.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match client.0.read(&mut byte) {
                Ok(1..) => head.extend(byte),
                Ok(0) => return Err(Answer { text: text(&head), end: End::Closed }),
                Err(_) => return Err(Answer { text: text(&head), end: End::Reset }),
            }
        }
        let opened = text(&head);
        if opened.starts_with("HTTP/1.1 101 ") {
            return Ok(Self { stream: client.0, is_client: true, opened });
        }
        let rest = client.read_for(Duration::from_secs(3), Duration::from_secs(3));
        Err(Answer { text: opened + &rest.text, end: rest.end })
    }

    /// Accepts the handshake of `request`, with these further headers.
    pub fn accept(request: &Received, stream: &TcpStream, headers: &str) -> Self {
        let key = request.values("sec-websocket-key").first().copied().unwrap_or_default();
        let opened = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{headers}\r\n",
            accept_of(key.as_bytes())
        );
        let mut stream = stream.try_clone().expect("a socket");
        let _ = stream.write_all(opened.as_bytes());
        Self { stream, is_client: false, opened }
    }

    /// `false` if the connection has ended.
    pub fn send(&mut self, frame: &Frame) -> bool {
        self.send_bytes(&frame.bytes(self.is_client))
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next frame, or how the connection ended.
    pub fn read(&mut self) -> Result<Frame, End> {
        self.stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
        let mut head = [0; 2];
        self.fill(&mut head)?;
        let extended = match head[1] & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mut length = u64::from(head[1] & 0x7F);
        if extended > 0 {
            let mut bytes = [0; 8];
            self.fill(&mut bytes[8 - extended..])?;
            length = u64::from_be_bytes(bytes);
        }
        let is_masked = head[1] & 0x80 != 0;
        assert_eq!(is_masked, !self.is_client, "clients mask, servers do not (RFC 6455 §5.1)");
        let mut mask = [0; 4];
        if is_masked {
            self.fill(&mut mask)?;
        }
        let mut payload = vec![0; usize::try_from(length).expect("a length that fits")];
        self.fill(&mut payload)?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok(Frame { first: head[0], payload })
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), End> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(End::Closed),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(End::Open)
            }
            Err(_) => Err(End::Reset),
        }
    }

    /// Reads to the end of the connection, and returns how it ended.
    pub fn end(&mut self) -> End {
        loop {
            if let Err(end) = self.read() {
                return end;
            }
        }
    }

    pub fn finish_writing(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Sends each message back, until the other side ends.
    pub fn echo(&mut self) {
        while let Ok(frame) = self.read() {
            let is_close = frame.close_code().is_some();
            let reply = if frame.first == FIN | PING { Frame::new(FIN | PONG, frame.payload) } else { frame };
            if !self.send(&reply) || is_close {
                return;
            }
        }
    }
}

/// An app that accepts websockets and hands them to `serve`.
pub fn websocket_app(serve: impl Fn(&Received, &mut WebSocket) + Send + Sync + 'static) -> Upstream {
    Upstream::scripted(move |request, stream| {
        serve(request, &mut WebSocket::accept(request, stream, ""));
        let resets = SockRef::from(&*stream).linger().is_ok_and(|linger| linger.is_some());
        if resets { After::Reset } else { After::Close }
    })
}

/// An app that sends every message back.
pub fn echo_app() -> Upstream {
    websocket_app(|_, socket| socket.echo())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
