//! Finds the data and the end of a chunked body. `server/stream.rs` passes on no byte after the end; `web/proxy` decodes the
//! bodies of responses with it.

/// The longest line of a chunk size. A longer one is left to the parser of actix-http.
const MAX_LINE: usize = 4 * 1024;

/// Scans the bytes of a chunked body, however they are split. If the body is malformed, it gives up: the stream then
/// passes on a few bytes at a time, and actix-http refuses the request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChunkScanner(ChunkState);

#[derive(Clone, Copy, Debug, PartialEq)]
enum ChunkState {
    /// In the digits of a chunk's size.
    Size {
        size: u64,
        digits: u8,
    },
    /// After the digits, up to the end of the line.
    Extension {
        size: u64,
        bytes: usize,
    },
    /// This many bytes of the chunk's data are still to come.
    Data(u64),
    /// In the line break after the data; how many of its two bytes were seen.
    DataEnd(u8),
    /// In a line of the trailer; whether it has a byte other than CR.
    Trailer {
        text: bool,
        bytes: usize,
    },
    Ended,
    GaveUp,
}

impl Default for ChunkScanner {
    fn default() -> Self {
        Self(ChunkState::SIZE)
    }
}

impl ChunkState {
    const SIZE: Self = Self::Size { size: 0, digits: 0 };

    fn next(self, byte: u8) -> Self {
        match self {
            Self::Size { size, digits } => match (byte as char).to_digit(16) {
                Some(digit) if digits < 15 => {
                    Self::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
                }
                None if digits > 0 => match byte {
                    b'\n' => Self::begin(size),
                    b'\r' | b';' | b' ' | b'\t' => Self::Extension { size, bytes: 0 },
                    _ => Self::GaveUp,
                },
                _ => Self::GaveUp,
            },
            Self::Extension { bytes, .. } | Self::Trailer { bytes, .. } if bytes > MAX_LINE => Self::GaveUp,
            Self::Extension { size, .. } if byte == b'\n' => Self::begin(size),
            Self::Extension { size, bytes } => Self::Extension { size, bytes: bytes + 1 },
            Self::DataEnd(seen) => match (seen, byte) {
                (0, b'\r') => Self::DataEnd(1),
                (_, b'\n') => Self::SIZE,
                _ => Self::GaveUp,
            },
            Self::Trailer { text: false, .. } if byte == b'\n' => Self::Ended,
            Self::Trailer { bytes, .. } if byte == b'\n' => Self::Trailer { text: false, bytes },
            Self::Trailer { text, bytes } => Self::Trailer { text: text || byte != b'\r', bytes: bytes + 1 },
            Self::Data(_) | Self::Ended | Self::GaveUp => self,
        }
    }

    fn begin(size: u64) -> Self {
        if size == 0 { Self::Trailer { text: false, bytes: 0 } } else { Self::Data(size) }
    }
}

impl ChunkScanner {
    /// Whether the body is malformed.
    pub fn gave_up(&self) -> bool {
        self.0 == ChunkState::GaveUp
    }

    /// Whether the last byte of the body was seen.
    pub fn has_ended(&self) -> bool {
        self.0 == ChunkState::Ended
    }

    /// Goes on to the next data within `bytes`: how many bytes stand before it, and its length. Without data, all bytes
    /// up to the end of the body were seen.
    pub fn data(&mut self, bytes: &[u8]) -> (usize, usize) {
        for (at, byte) in bytes.iter().enumerate() {
            match self.0 {
                ChunkState::Data(left) => {
                    let rest = bytes.len() - at;
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(rest);
                    let left = left - count as u64;
                    self.0 = if left == 0 { ChunkState::DataEnd(0) } else { ChunkState::Data(left) };
                    return (at, count);
                }
                ChunkState::Ended | ChunkState::GaveUp => return (at, 0),
                state => self.0 = state.next(*byte),
            }
        }
        (bytes.len(), 0)
    }

    /// How many of `bytes` belong to the body, if it ends within them.
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() && !self.has_ended() {
            match self.data(&bytes[at..]) {
                (0, 0) => return None,
                (skipped, count) => at += skipped + count,
            }
            if self.has_ended() {
                return Some(at);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_chunked_body_ends_behind_its_trailer() {
        for (bytes, end) in [
            ("0\r\n\r\n", Some(5)),
            ("3\r\nabc\r\n0\r\n\r\nGET", Some(13)),
            ("3;a=b\r\nabc\r\n0\r\n\r\n", Some(17)),
            ("0\r\nx-sum: 1\r\n\r\nGET", Some(15)),
            ("A\r\n0\r\n\r\n12345\r\n0\r\n\r\n", Some(20)),
            ("3\r\nabc\r\n", None),
            ("", None),
        ] {
            assert_eq!(ChunkScanner::default().end(bytes.as_bytes()), end, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_not_chunked_makes_it_give_up() {
        for bytes in ["-1\r\n", "\r\n", "xyz", "3\r\nabcd", "0123456789abcdef01\r\n", "GET / HTTP/1.1"] {
            let mut scanner = ChunkScanner::default();
            assert_eq!(scanner.end(bytes.as_bytes()), None, "{bytes:?}");
            assert!(scanner.gave_up(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_body_ends_where_it_was_encoded_to_end_however_it_is_split(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            behind in prop::collection::vec(any::<u8>(), 0..20),
            piece in 1_usize..50,
        ) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
            let length = bytes.len();
            bytes.extend(behind);
            let mut scanner = ChunkScanner::default();
            let mut before = 0;
            let end = bytes.chunks(piece).find_map(|piece| {
                let end = scanner.end(piece).map(|end| before + end);
                before += piece.len();
                end
            });
            prop_assert_eq!(end, Some(length));
        }
    }
}
