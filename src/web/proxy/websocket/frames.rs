//! Follows the frames of one direction without decoding them (RFC 6455 §5.2), to know where we may insert a frame.

/// The longest head of a frame: two bytes, a length of eight, a mask of four.
const LONGEST_HEAD: usize = 14;

const OPCODE: u8 = 0x0F;
const CLOSE: u8 = 0x08;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7F;

/// Scans bytes that were sent, however they are split.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FrameScanner {
    head: [u8; LONGEST_HEAD],
    /// How many bytes of the head have been seen. The head of a frame whose payload is being sent is complete.
    seen: u8,
    /// Bytes of the payload that are still to come.
    payload: u64,
    is_close: bool,
}

impl FrameScanner {
    /// Whether the last frame is complete, or there was none.
    pub fn is_between_frames(&self) -> bool {
        self.seen == 0 && self.payload == 0
    }

    /// Whether a whole Close frame was sent, after which there must be no other frame (RFC 6455 §5.5.1).
    pub fn has_closed(&self) -> bool {
        self.is_close && self.is_between_frames()
    }

    pub fn scan(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload > 0 {
                let skipped = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
                self.payload -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head[usize::from(self.seen)] = *first;
            self.seen += 1;
            bytes = rest;
            if let Some(payload) = self.payload_of_complete_head() {
                self.is_close = self.head[0] & OPCODE == CLOSE;
                (self.seen, self.payload) = (0, payload);
            }
        }
    }

    fn payload_of_complete_head(&self) -> Option<u64> {
        let [_, second, rest @ ..] = &self.head;
        let seen = usize::from(self.seen);
        if seen < 2 {
            return None;
        }
        let extended = match second & LENGTH {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & MASKED == 0 { 0 } else { 4 };
        if seen < 2 + extended + mask {
            return None;
        }
        Some(match extended {
            0 => u64::from(second & LENGTH),
            _ => rest[..extended].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(first: u8, length: usize, mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut bytes = vec![first];
        let masked = if mask.is_some() { MASKED } else { 0 };
        match length {
            0..126 => bytes.push(masked | length as u8),
            126..=0xFFFF => {
                bytes.push(masked | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(masked | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(mask.into_iter().flatten());
        bytes.extend(std::iter::repeat_n(0x88, length));
        bytes
    }

    #[test]
    fn a_close_frame_counts_when_it_is_complete() {
        let mut scanner = FrameScanner::default();
        assert!(scanner.is_between_frames() && !scanner.has_closed());
        let close = frame(0x88, 2, None);
        scanner.scan(&close[..3]);
        assert!(!scanner.is_between_frames() && !scanner.has_closed());
        scanner.scan(&close[3..]);
        assert!(scanner.has_closed());
        let mut scanner = FrameScanner::default();
        scanner.scan(&frame(0x81, 0x88, None));
        assert!(scanner.is_between_frames() && !scanner.has_closed(), "only the opcode counts");
    }

    #[test]
    fn a_frame_of_any_length_ends_at_its_last_byte() {
        for length in [0, 1, 125, 126, 127, 0xFFFF, 0x1_0000, 300_000] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let bytes = frame(0x82, length, mask);
                let mut scanner = FrameScanner::default();
                scanner.scan(&bytes[..bytes.len() - 1]);
                assert!(!scanner.is_between_frames(), "{length}");
                scanner.scan(&bytes[bytes.len() - 1..]);
                assert!(scanner.is_between_frames(), "{length}");
            }
        }
    }

    proptest! {
        #[test]
        fn boundaries_are_where_frames_end_however_the_bytes_are_split(
            lengths in prop::collection::vec((0_usize..200, any::<bool>()), 1..8),
            piece in 1_usize..40,
        ) {
            let mut bytes = Vec::new();
            let mut ends = vec![0];
            for (length, masked) in &lengths {
                bytes.extend(frame(0x01, *length, masked.then_some([9; 4])));
                ends.push(bytes.len());
            }
            let mut scanner = FrameScanner::default();
            let mut at = 0;
            for piece in bytes.chunks(piece) {
                scanner.scan(piece);
                at += piece.len();
                prop_assert_eq!(scanner.is_between_frames(), ends.contains(&at));
            }
        }
    }
}
