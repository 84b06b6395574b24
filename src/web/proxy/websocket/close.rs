//! The Close frame with which Latchkey ends a websocket (RFC 6455 §5.5.1).

use latchkey_sessions::StreamEnd;

use crate::secret;

/// FIN and the opcode of Close.
const CLOSE: u8 = 0x88;
const MASKED: u8 = 0x80;

/// "Going away" (RFC 6455 §7.4.1): clients connect again, to another instance.
const GOING_AWAY: u16 = 1001;

/// The reason that both sides of a websocket are given for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseReason {
    code: u16,
    text: &'static str,
}

impl CloseReason {
    /// * `code`: the app's code for the end of access.
    pub fn new(end: StreamEnd, code: u16) -> Self {
        match end {
            StreamEnd::Ended => Self { code, text: "the session has ended" },
            StreamEnd::Refused => Self { code, text: "access has ended" },
            StreamEnd::Unconfirmed => Self { code, text: "access could not be confirmed" },
            StreamEnd::Shutdown => Self { code: GOING_AWAY, text: "the server is stopping" },
        }
    }

    fn payload(self) -> Vec<u8> {
        [&self.code.to_be_bytes(), self.text.as_bytes()].concat()
    }

    /// The frame for the client.
    pub fn for_client(self) -> Vec<u8> {
        let payload = self.payload();
        [&[CLOSE, short(&payload)][..], &payload].concat()
    }

    /// The frame for the upstream, masked as a client must (RFC 6455 §5.3). `None` if there are no random bytes.
    pub fn for_upstream(self) -> Option<Vec<u8>> {
        let mask = secret::random::<4>().ok()?;
        let mut payload = self.payload();
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Some([&[CLOSE, MASKED | short(&payload)][..], &mask, &payload].concat())
    }
}

/// The length of a payload, which is below 126 bytes.
fn short(payload: &[u8]) -> u8 {
    u8::try_from(payload.len()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_fits_into_a_control_frame() {
        for end in [StreamEnd::Ended, StreamEnd::Refused, StreamEnd::Unconfirmed, StreamEnd::Shutdown] {
            let reason = CloseReason::new(end, 4001);
            let code = if end == StreamEnd::Shutdown { 1001 } else { 4001 };
            let frame = reason.for_client();
            assert!(frame.len() <= 127, "{end:?}");
            assert_eq!((frame[0], usize::from(frame[1])), (0x88, frame.len() - 2));
            assert_eq!(frame[2..4], u16::to_be_bytes(code));
            let masked = reason.for_upstream().expect("random bytes");
            let (mask, payload) = masked[2..].split_at(4);
            let payload: Vec<u8> =
                payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
            assert_eq!((masked[0], masked[1], &payload[..]), (0x88, frame[1] | 0x80, &frame[2..]));
        }
    }
}
