//! The few frames that the test needs (RFC 6455 §5.2): both sides are its own, and no message is long.

/// The headers with which a client opens a websocket. The key is the example of the RFC.
pub const HANDSHAKE: &str = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The answer to this key.
pub const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                            sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const FINAL: u8 = 0x80;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;

/// A message from the server. At most 125 bytes.
pub fn text_frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap_or_default();
    [&[FINAL | TEXT, length][..], text.as_bytes()].concat()
}

/// A Close from the client, which must be masked. The mask is 0.
pub fn masked_close(code: u16) -> Vec<u8> {
    let [high, low] = code.to_be_bytes();
    vec![FINAL | CLOSE, 0x80 | 2, 0, 0, 0, 0, high, low]
}

/// A frame from the server.
#[derive(Debug, PartialEq)]
pub enum ServerFrame {
    Text(String),
    /// With its code; 0 if it has none.
    Close(u16),
    Other,
}

/// Removes the first frame from `received`, if it is complete.
pub fn take_frame(received: &mut Vec<u8>) -> Option<ServerFrame> {
    let &[first, length, ..] = &received[..] else { return None };
    let ends = 2 + usize::from(length & 0x7F);
    if received.len() < ends {
        return None;
    }
    let data: Vec<u8> = received.drain(..ends).skip(2).collect();
    Some(match first & 0x0F {
        TEXT => ServerFrame::Text(String::from_utf8_lossy(&data).into_owned()),
        CLOSE => ServerFrame::Close(data.first_chunk().map_or(0, |code| u16::from_be_bytes(*code))),
        _ => ServerFrame::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_one_by_one_when_they_are_complete() {
        let mut received = text_frame("data: 17\n");
        received.extend([FINAL | CLOSE, 2, 3]);
        assert_eq!(take_frame(&mut received), Some(ServerFrame::Text("data: 17\n".into())));
        assert_eq!(take_frame(&mut received), None);
        received.push(240);
        assert_eq!(take_frame(&mut received), Some(ServerFrame::Close(1008)));
        assert_eq!(take_frame(&mut received), None);
        assert_eq!(masked_close(1008), [0x88, 0x82, 0, 0, 0, 0, 3, 240]);
    }
}
