//! Reading cookies straight from the request's head: few requests need more than one, and none a jar.

use std::borrow::Cow;
use std::mem;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use memchr::{memchr, memchr_iter};
use percent_encoding::percent_decode;

/// The value of the first cookie of that name (RFC 6265 §4.2.1), percent-decoded as the `cookie` crate encodes it.
pub fn value<'r>(headers: &'r HeaderMap, name: &str) -> Option<Cow<'r, str>> {
    let raw = raw(headers, name)?;
    if memchr(b'%', raw).is_none() {
        return str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let mut decoded = Vec::with_capacity(raw.len());
    decoded.extend(percent_decode(raw));
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// The same as it was sent. Whatever bytes other cookies hold: they are somebody else's.
fn raw<'r>(headers: &'r HeaderMap, name: &str) -> Option<&'r [u8]> {
    let mut pairs = headers.get_all(header::COOKIE).flat_map(|header| pairs(header.as_bytes()));
    pairs.find_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// What is between semicolons.
fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr_iter(b';', line).chain([line.len()]).map(move |end| &line[mem::replace(&mut start, end + 1)..end])
}

/// Leaves of what was sent only the cookies of these names, behind `first`: what reads the head after this, however
/// it does so, finds what [`value`] finds.
pub fn keep_only(headers: &mut HeaderMap, first: Option<String>, names: &[&str]) {
    let mut kept: Vec<Vec<u8>> = first.map(String::into_bytes).into_iter().collect();
    for name in names {
        kept.extend(raw(headers, name).map(|value| [name.as_bytes(), b"=", value].concat()));
    }
    headers.remove(header::COOKIE);
    if let Ok(value) = HeaderValue::from_bytes(&kept.join(&b"; "[..]))
        && !kept.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("latchkey-form=a; latchkey=b%2Bc%3D; latchkey=d"),
        );
        headers.append(header::COOKIE, HeaderValue::from_static("other=e"));
        assert_eq!(value(&headers, "latchkey").as_deref(), Some("b+c="));
        assert_eq!(value(&headers, "latchkey-form").as_deref(), Some("a"));
        assert_eq!(value(&headers, "other").as_deref(), Some("e"));
        assert_eq!(value(&headers, "latch"), None);
    }

    #[test]
    fn other_peoples_cookies_are_in_nobodys_way() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_bytes("name=José; %6catchkey=theirs; latchkey=ours".as_bytes()).unwrap(),
        );
        assert_eq!(value(&headers, "latchkey").as_deref(), Some("ours"));
        keep_only(&mut headers, Some("latchkey=a%2Bb".into()), &["latchkey-form", "name"]);
        let kept: Vec<_> = headers.get_all(header::COOKIE).map(HeaderValue::as_bytes).collect();
        assert_eq!(kept, ["latchkey=a%2Bb; name=José".as_bytes()]);
        keep_only(&mut headers, None, &[]);
        assert!(!headers.contains_key(header::COOKIE));
    }

    const OURS: [&str; 3] = ["latchkey", "latchkey-form", "latchkey-flash"];

    /// Bytes a header may hold, mostly those that mean something in this one.
    fn header_bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(b';'), Just(b'='), Just(b' '), Just(b'%'), 0x20u8..0x7f, 0x80u8..=0xff];
        let piece = prop_oneof![
            4 => proptest::collection::vec(byte, 0..8),
            3 => proptest::sample::select(&OURS[..]).prop_map(|name| format!("{name}=").into_bytes()),
            1 => Just(b"; ".to_vec()),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    fn headers(lines: &[Vec<u8>]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    proptest! {
        /// What reads the head after us finds what we have found, and nothing else (see `current_session`).
        #[test]
        fn whatever_was_sent_what_is_kept_reads_as_before(
            lines in proptest::collection::vec(header_bytes(), 0..3)
        ) {
            let before = headers(&lines);
            let mut after = before.clone();
            keep_only(&mut after, None, &OURS[1..]);
            for name in &OURS[1..] {
                prop_assert_eq!(value(&after, name), value(&before, name));
            }
            prop_assert_eq!(value(&after, OURS[0]), None);
            prop_assert!(after.get_all(header::COOKIE).count() <= 1);
        }

        #[test]
        fn the_first_of_a_name_is_found_among_all_others(
            pairs in proptest::collection::vec((proptest::sample::select(&["latchkey", "latch", "Latchkey", "x"][..]), "[a-z%=]{0,6}"), 0..8),
            space in "[ ]{0,2}",
        ) {
            let line: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let headers = headers(&[line.join(&format!(";{space}")).into_bytes()]);
            let first = pairs.iter().find(|(name, _)| *name == "latchkey").map(|(_, value)| value);
            prop_assert_eq!(raw(&headers, "latchkey"), first.map(String::as_bytes));
        }
    }
}
