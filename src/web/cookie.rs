//! Reading cookies straight from the request's head: few requests need more than one, and none a jar.

use std::borrow::Cow;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use percent_encoding::percent_decode;

/// The value of the first cookie of that name (RFC 6265 §4.2.1), percent-decoded as the `cookie` crate encodes it.
pub fn value<'r>(headers: &'r HeaderMap, name: &str) -> Option<Cow<'r, str>> {
    percent_decode(raw(headers, name)?).decode_utf8().ok()
}

/// The same as it was sent. Whatever bytes other cookies hold: they are somebody else's.
fn raw<'r>(headers: &'r HeaderMap, name: &str) -> Option<&'r [u8]> {
    let mut pairs =
        headers.get_all(header::COOKIE).flat_map(|header| header.as_bytes().split(|b| *b == b';'));
    pairs.find_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
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
}
