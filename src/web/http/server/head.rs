//! Finds the end of a request's head without parsing it: `server/stream.rs` passes on one head at a time.

/// Scans bytes for the blank line that ends a head, however the bytes are split.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HeadScanner {
    /// Blank lines before the request line do not end the head (RFC 9112 §2.2).
    started: bool,
    line: LineState,
}

/// The current line so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum LineState {
    #[default]
    Nothing,
    /// Only a CR.
    Cr,
    Text,
}

impl HeadScanner {
    /// How many of `bytes` belong to the head, if it ends within them. A bare LF ends a line, as in the parser of
    /// actix-http.
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut start = 0;
        for at in memchr::memchr_iter(b'\n', bytes) {
            let line = &bytes[start..at];
            start = at + 1;
            let blank = match self.line {
                LineState::Nothing => matches!(line, [] | [b'\r']),
                LineState::Cr => line.is_empty(),
                LineState::Text => false,
            };
            self.line = LineState::Nothing;
            if blank && self.started {
                *self = Self::default();
                return Some(start);
            }
            self.started |= !blank;
        }
        self.line = match (self.line, &bytes[start..]) {
            (line, []) => line,
            (LineState::Nothing, [b'\r']) => LineState::Cr,
            _ => LineState::Text,
        };
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_head_ends_behind_its_blank_line() {
        for (bytes, end) in [
            ("GET / HTTP/1.1\r\n\r\n", Some(18)),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", Some(27)),
            ("GET / HTTP/1.1\n\nGET", Some(16)),
            ("GET / HTTP/1.1\nA: b\n\r\nGET", Some(22)),
            ("\r\n\n\r\nGET / HTTP/1.1\r\n\r\n", Some(23)),
            ("GET / HTTP/1.1\r\nA: b\r\n", None),
            ("GET / HTTP/1.1\r\nA: b\r\n\r", None),
            ("GET / HTTP/1.1\r\n\rA: b\r\n", None),
            ("\r\n\r\n\r\n", None),
            ("\n\r\r\n\r\n", Some(6)),
            ("", None),
        ] {
            assert_eq!(HeadScanner::default().end(bytes.as_bytes()), end, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_end_where_the_whole_does(
            text in "(\r\n|\n|\r|a|b){0,24}",
            cuts in prop::collection::vec(0_usize..24, 0..6),
        ) {
            let bytes = text.as_bytes();
            let whole = HeadScanner::default().end(bytes);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut scanner = HeadScanner::default();
            let in_pieces = cuts
                .windows(2)
                .find_map(|cut| scanner.end(&bytes[cut[0]..cut[1]]).map(|end| cut[0] + end));
            prop_assert_eq!(in_pieces, whole);
        }
    }
}
