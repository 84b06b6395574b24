//! Cookies: read directly from the request's head, because most requests need at most one of them and none needs a
//! cookie jar; and collected until they are written to the response.

use std::borrow::Cow;
use std::mem;
use std::time::Duration;

use actix_web::cookie::{Cookie, CookieBuilder, SameSite, time};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use memchr::{memchr, memchr_iter};
use percent_encoding::percent_decode;

/// The value of the first cookie with this name (RFC 6265 §4.2.1), percent-decoded as the `cookie` crate encodes it.
pub fn value<'r>(headers: &'r HeaderMap, name: &str) -> Option<Cow<'r, str>> {
    let raw = raw(headers, name)?;
    if memchr(b'%', raw).is_none() {
        return str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let mut decoded = Vec::with_capacity(raw.len());
    decoded.extend(percent_decode(raw));
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// The same, not decoded. Cookies of other programs may contain any bytes.
fn raw<'r>(headers: &'r HeaderMap, name: &str) -> Option<&'r [u8]> {
    let mut pairs = headers.get_all(header::COOKIE).flat_map(|header| pairs(header.as_bytes()));
    pairs.find_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// Leaves `ours`, if there is one, as the only cookie of that name for actix-session. It parses either all cookies of a
/// request or none, so cookies of other programs that cannot be parsed are left out.
pub fn present(headers: &mut HeaderMap, name: &str, ours: Option<&Cookie<'_>>) {
    let ours = ours.map(|cookie| cookie.stripped().encoded().to_string());
    let sent: Vec<HeaderValue> = headers.remove(header::COOKIE).collect();
    let others = sent.iter().flat_map(|line| pairs(line.as_bytes())).filter_map(|pair| {
        let pair = str::from_utf8(pair.trim_ascii()).ok()?;
        let parsed = Cookie::parse_encoded(pair).ok()?;
        (ours.is_none() || parsed.name() != name).then_some(pair)
    });
    let shown = ours.as_deref().into_iter().chain(others).collect::<Vec<_>>().join("; ");
    if !shown.is_empty()
        && let Ok(shown) = HeaderValue::from_bytes(shown.as_bytes())
    {
        headers.insert(header::COOKIE, shown);
    }
}

/// Removes the cookie of that name from a response.
pub fn take(headers: &mut HeaderMap, name: &str) -> Option<Cookie<'static>> {
    let set: Vec<HeaderValue> = headers.remove(header::SET_COOKIE).collect();
    let mut taken = None;
    for value in set {
        match value.to_str().ok().and_then(|text| Cookie::parse_encoded(text).ok()) {
            Some(cookie) if cookie.name() == name => taken = Some(cookie.into_owned()),
            _ => headers.append(header::SET_COOKIE, value),
        }
    }
    taken
}

/// The `name=value` pairs between the semicolons.
fn pairs(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr_iter(b';', line).chain([line.len()]).map(move |end| &line[mem::replace(&mut start, end + 1)..end])
}

/// Sets one more cookie.
pub fn append(headers: &mut HeaderMap, cookie: &Cookie<'_>) {
    // Cannot fail: names are ours or were checked when they were configured, and values are encoded.
    if let Ok(header) = HeaderValue::from_str(&cookie.encoded().to_string()) {
        headers.append(header::SET_COOKIE, header);
    }
}

/// A cookie for the whole host, until the browser closes. Scripts cannot read it, and other sites cannot make the
/// browser send it with a form.
pub fn for_host(name: String, value: String, secure: bool) -> CookieBuilder<'static> {
    Cookie::build(name, value).path("/").http_only(true).secure(secure).same_site(SameSite::Lax)
}

/// `cookie` with this lifetime, unless it removes a cookie. `None`: until the browser closes.
pub fn kept_for(mut cookie: Cookie<'static>, keep_for: Option<Duration>) -> Cookie<'static> {
    if cookie.max_age().is_none()
        && let Some(keep_for) = keep_for
    {
        cookie.set_max_age(time::Duration::try_from(keep_for).unwrap_or(time::Duration::MAX));
    }
    cookie
}

/// The cookies of the response; for a repeated name the last one wins.
#[derive(Default)]
pub struct OutgoingCookies(Vec<Cookie<'static>>);

impl OutgoingCookies {
    pub fn put(&mut self, cookie: Cookie<'static>) {
        self.0.retain(|known| known.name() != cookie.name());
        self.0.push(cookie);
    }

    /// The value that this response sets for the name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|cookie| cookie.name() == name).map(Cookie::value)
    }

    pub fn write_to(&self, headers: &mut HeaderMap) {
        for cookie in &self.0 {
            append(headers, cookie);
        }
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
    fn cookies_of_other_programs_do_not_disturb_ours() {
        let headers = headers(&["name=José; %6catchkey=theirs; latchkey=ours".as_bytes().to_vec()]);
        assert_eq!(value(&headers, "latchkey").as_deref(), Some("ours"));
    }

    #[test]
    fn the_last_outgoing_cookie_of_a_name_wins() {
        let mut outgoing = OutgoingCookies::default();
        outgoing.put(Cookie::new("flash", "old"));
        outgoing.put(Cookie::new("form", "nonce"));
        outgoing.put(Cookie::new("flash", "a+b="));
        assert_eq!(outgoing.value("flash"), Some("a+b="));
        let mut headers = HeaderMap::new();
        outgoing.write_to(&mut headers);
        let sent: Vec<_> = headers.get_all(header::SET_COOKIE).map(HeaderValue::as_bytes).collect();
        assert_eq!(sent, ["form=nonce".as_bytes(), b"flash=a+b%3D"]);
    }

    #[test]
    fn actix_session_is_shown_our_cookie_and_none_that_it_cannot_parse() {
        let sent = [
            "latchkey=old; a=1; caf\u{e9}".as_bytes().to_vec(),
            b"name=\xff; b=%ff; latchkey=x; c=3".to_vec(),
        ];
        let mut shown = headers(&sent);
        present(&mut shown, "latchkey", Some(&Cookie::new("latchkey", "a+b=")));
        assert_eq!(shown.get(header::COOKIE).unwrap(), "latchkey=a+b%3D; a=1; c=3");
        assert_eq!(shown.get_all(header::COOKIE).count(), 1);
        present(&mut shown, "latchkey", None);
        assert_eq!(shown.get(header::COOKIE).unwrap(), "latchkey=a+b%3D; a=1; c=3");
    }

    #[test]
    fn only_the_named_cookie_is_taken_out_of_an_answer() {
        let mut answer = HeaderMap::new();
        for set in ["other=1; Path=/", "latchkey=k%3D; Path=/; HttpOnly; SameSite=Lax", "latchkeys=2"] {
            answer.append(header::SET_COOKIE, HeaderValue::from_static(set));
        }
        let taken = take(&mut answer, "latchkey").unwrap();
        assert_eq!((taken.value(), taken.http_only(), taken.path()), ("k=", Some(true), Some("/")));
        let left: Vec<_> = answer.get_all(header::SET_COOKIE).map(|value| value.to_str().unwrap()).collect();
        assert_eq!(left, ["other=1; Path=/", "latchkeys=2"]);
        assert!(take(&mut answer, "latchkey").is_none());
    }

    fn headers(lines: &[Vec<u8>]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    proptest! {
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
