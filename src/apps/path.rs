//! Paths with one meaning: rules compare decoded paths, and a path that servers could read in different ways is
//! refused.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use unicode_normalization::UnicodeNormalization as _;

/// Why a path has no single meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmbiguousPath {
    /// It does not begin with a slash.
    NotAbsolute,
    /// `//`
    EmptySegment,
    /// `.` or `..`
    DotSegment,
    /// A segment that ends in a dot or a space, which some file systems ignore.
    TrailingDot,
    /// An escaped slash, backslash, null byte or percent sign.
    HiddenSeparator,
    Backslash,
    /// `;`, after which some servers expect parameters.
    Parameters,
    /// An escaped character that needs no escape, such as `%61`.
    NeedlessEscape,
    /// A percent sign without two hexadecimal digits.
    BrokenEscape,
    /// A control byte, raw or escaped.
    ControlByte,
    /// A byte that a path cannot contain.
    NotAscii,
}

/// Decodes a path that has one meaning.
///
/// # Errors
/// Why servers could disagree about the path.
pub fn canonical(raw: &str) -> Result<Cow<'_, [u8]>, AmbiguousPath> {
    let path = raw.strip_prefix('/').ok_or(AmbiguousPath::NotAbsolute)?;
    let bytes = raw.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let escaped = escaped(&bytes[at..]).ok_or(AmbiguousPath::BrokenEscape)?;
                check_escaped(escaped)?;
                at += 2;
            }
            b'\\' => return Err(AmbiguousPath::Backslash),
            b';' => return Err(AmbiguousPath::Parameters),
            0..=0x1f | 0x7f => return Err(AmbiguousPath::ControlByte),
            // A space, `?` and `#` end a path; other bytes above ASCII are escaped.
            b' ' | b'?' | b'#' | 0x80.. => return Err(AmbiguousPath::NotAscii),
            _ => {}
        }
        at += 1;
    }
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "" if segments.peek().is_some() => return Err(AmbiguousPath::EmptySegment),
            "." | ".." => return Err(AmbiguousPath::DotSegment),
            _ if segment.ends_with('.') || segment.ends_with("%20") => {
                return Err(AmbiguousPath::TrailingDot);
            }
            _ => {}
        }
    }
    let decoded: Cow<'_, [u8]> = percent_decode_str(raw).into();
    check_text(&decoded)?;
    Ok(decoded)
}

/// Refuses bytes that some decoders read as another character: overlong and other malformed UTF-8 (RFC 3629 §10), and
/// characters that a compatible normalization (Unicode's NFKC) turns into a separator or a dot segment.
fn check_text(decoded: &[u8]) -> Result<(), AmbiguousPath> {
    if decoded.is_ascii() {
        return Ok(());
    }
    let text = str::from_utf8(decoded).map_err(|_| AmbiguousPath::BrokenEscape)?;
    for segment in text.split('/') {
        let normalized: String = segment.nfkc().collect();
        if normalized.contains(['/', '\\']) {
            return Err(AmbiguousPath::HiddenSeparator);
        }
        if matches!(normalized.as_str(), "." | "..") {
            return Err(AmbiguousPath::DotSegment);
        }
    }
    Ok(())
}

/// The byte of an escape at the beginning of `text`.
fn escaped(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    u8::try_from(digit(1)? * 16 + digit(2)?).ok()
}

fn check_escaped(byte: u8) -> Result<(), AmbiguousPath> {
    match byte {
        b'.' => Err(AmbiguousPath::DotSegment),
        b'/' | b'\\' | 0 | b'%' => Err(AmbiguousPath::HiddenSeparator),
        b';' => Err(AmbiguousPath::Parameters),
        0x01..=0x1f | 0x7f => Err(AmbiguousPath::ControlByte),
        // Unreserved characters, RFC 3986 §2.3.
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => Err(AmbiguousPath::NeedlessEscape),
        _ => Ok(()),
    }
}

/// A path without differences of case: each character in one form for all of its cases.
pub(super) fn folded(path: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(path);
    let fold = |c: char| c.to_uppercase().flat_map(char::to_lowercase);
    text.chars().flat_map(fold).collect::<String>().into_bytes()
}

/// The path of a rule, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulePath {
    decoded: Box<[u8]>,
    folded: Box<[u8]>,
}

/// Why a text is not the path of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidRulePath {
    Ambiguous(AmbiguousPath),
    /// Longer than a browser sends.
    TooLong,
}

/// The longest path of a rule, in bytes.
const LONGEST: usize = 1024;

/// The bytes that a path must escape: all but RFC 3986's pchar and the slash.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

impl RulePath {
    /// Parses a path as it is written in a browser's address bar; characters outside ASCII need no escape.
    pub fn parse(text: &str) -> Result<Self, InvalidRulePath> {
        if text.len() > LONGEST {
            return Err(InvalidRulePath::TooLong);
        }
        let escaped: String = text
            .chars()
            .map(|c| match c {
                ' ' => "%20".to_owned(),
                c if c.is_ascii() => c.to_string(),
                c => percent_encode(c.to_string().as_bytes(), NON_ALPHANUMERIC).to_string(),
            })
            .collect();
        let decoded = canonical(&escaped).map_err(InvalidRulePath::Ambiguous)?;
        Ok(Self { folded: folded(&decoded).into(), decoded: decoded.as_ref().into() })
    }

    /// Whether `path` is this path, with or without a slash at the end: most apps answer both alike, so a slash must
    /// not lead past the rule. `path` is decoded, and folded if `ignore_case`.
    pub(super) fn is(&self, path: &[u8], ignore_case: bool) -> bool {
        self.rest_of(path, ignore_case).is_some_and(|rest| matches!(rest, b"" | b"/"))
    }

    /// Whether `path` is this path or begins with it and a slash.
    pub(super) fn is_above(&self, path: &[u8], ignore_case: bool) -> bool {
        self.rest_of(path, ignore_case).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// The part of `path` after this path, whose own slash at the end does not count.
    fn rest_of<'p>(&self, path: &'p [u8], ignore_case: bool) -> Option<&'p [u8]> {
        let own: &[u8] = if ignore_case { &self.folded } else { &self.decoded };
        path.strip_prefix(own.strip_suffix(b"/").unwrap_or(own))
    }
}

/// With escapes, as in a URL.
impl fmt::Display for RulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        percent_encode(&self.decoded, ESCAPED).fmt(f)
    }
}

#[cfg(test)]
mod tests;
