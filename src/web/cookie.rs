//! Reading cookies straight from the request's head: few requests need more than one, and none a jar.

use std::borrow::Cow;

use actix_web::http::header::{self, HeaderMap};
use percent_encoding::percent_decode_str;

/// The value of the first cookie of that name (RFC 6265 §4.2.1), percent-decoded as the `cookie` crate encodes it.
pub fn value<'r>(headers: &'r HeaderMap, name: &str) -> Option<Cow<'r, str>> {
    let sent = headers.get_all(header::COOKIE).filter_map(|header| header.to_str().ok());
    let mut pairs = sent.flat_map(|header| header.split(';')).map(str::trim);
    let value = pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    percent_decode_str(value).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

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
}
