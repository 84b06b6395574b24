//! The client's IP address: that of the peer, or the entry of `X-Forwarded-For` that our outermost proxy added.

use std::net::IpAddr;

use actix_http::RequestHead;
use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderValue};

/// The client's IP address. An IPv4 address that arrives mapped into IPv6 (`::ffff:192.0.2.7`), as from a dual-stack
/// socket or proxy, is returned as IPv4. There are `trusted_hops` proxies of ours in front, and each appends the
/// address it saw. So only the Nth entry from the right is trusted, never one that the client wrote (ASVS 5.0 15.3.4).
pub fn of(request: &HttpRequest, trusted_hops: usize) -> Option<IpAddr> {
    of_head(request.head(), trusted_hops)
}

/// The same for the head of a request that the application does not receive.
pub fn of_head(head: &RequestHead, trusted_hops: usize) -> Option<IpAddr> {
    let peer = head.peer_addr.map(|peer| peer.ip().to_canonical());
    if trusted_hops == 0 {
        return peer;
    }
    forwarded(&head.headers, trusted_hops).or(peer)
}

/// The address that the outermost of `hops` proxies wrote into `X-Forwarded-For`.
pub fn forwarded(headers: &HeaderMap, hops: usize) -> Option<IpAddr> {
    let headers: Vec<&[u8]> = headers.get_all("x-forwarded-for").map(HeaderValue::as_bytes).collect();
    nth_from_right(&headers, hops)
}

/// Several headers are read as one list (RFC 9110 §5.3). As bytes, because the entries that the client wrote need not
/// be text and must not invalidate the entries that our proxies appended.
fn nth_from_right(headers: &[&[u8]], hops: usize) -> Option<IpAddr> {
    let written: Vec<&[u8]> = headers.iter().flat_map(|header| header.split(|byte| *byte == b',')).collect();
    let nth = written.get(written.len().checked_sub(hops)?)?;
    parse(str::from_utf8(nth.trim_ascii()).ok()?)
}

/// Parses an address as proxies write it: in quotes (a quoted-string, as in RFC 7239 §6), in brackets, with a port, or
/// with the zone of a link-local address (RFC 6874).
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.strip_prefix('"').map_or(Some(text), |quoted| quoted.strip_suffix('"'))?.trim_ascii();
    let (host, port) = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        // Two or more colons: an IPv6 address.
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, &text[text.len() - port.len() - 1..]),
            _ => (text, ""),
        },
    };
    let is_port = |port: &str| port.strip_prefix(':').is_some_and(|number| number.parse::<u16>().is_ok());
    if !port.is_empty() && !is_port(port) {
        return None;
    }
    match host.split_once('%') {
        Some((address, zone)) if !zone.is_empty() => address.parse().ok().map(IpAddr::V6),
        _ => host.parse().ok(),
    }
    .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(headers: &[&str], hops: usize) -> Option<String> {
        let headers: Vec<&[u8]> = headers.iter().map(|header| header.as_bytes()).collect();
        nth_from_right(&headers, hops).map(|ip| ip.to_string())
    }

    /// An address in any of the notations that proxies use.
    fn written(ip: IpAddr, style: u8) -> String {
        match (ip, style) {
            (_, 0) => ip.to_string(),
            (IpAddr::V6(_), 1) => format!("[{ip}]"),
            (IpAddr::V6(_), _) => format!("[{ip}]:4711"),
            (IpAddr::V4(_), 1) => format!("::ffff:{ip}"),
            (IpAddr::V4(_), 2) => format!("\"{ip}:4711\""),
            (IpAddr::V4(_), _) => format!("{ip}:4711"),
        }
    }

    #[test]
    fn only_what_our_proxies_wrote_counts() {
        let spoofed = ["6.6.6.6, 203.0.113.7, 10.0.0.1"];
        assert_eq!(seen(&spoofed, 1).as_deref(), Some("10.0.0.1"));
        assert_eq!(seen(&spoofed, 2).as_deref(), Some("203.0.113.7"));
        assert_eq!(seen(&["6.6.6.6", "203.0.113.7"], 1).as_deref(), Some("203.0.113.7"));
        assert_eq!(seen(&["203.0.113.7"], 2), None);
        assert_eq!(seen(&[], 1), None);
    }

    #[test]
    fn ports_and_brackets_are_parsed_and_nonsense_is_no_address() {
        assert_eq!(seen(&["203.0.113.7:4711"], 1).as_deref(), Some("203.0.113.7"));
        assert_eq!(seen(&["[2001:db8::1]:443"], 1).as_deref(), Some("2001:db8::1"));
        assert_eq!(seen(&["[2001:db8::1]"], 1).as_deref(), Some("2001:db8::1"));
        assert_eq!(seen(&["unknown"], 1), None);
    }

    #[test]
    fn an_address_is_the_same_however_it_is_spelt() {
        for (written, address) in [
            ("\"198.51.100.7\"", "198.51.100.7"),
            ("\"198.51.100.7:443\"", "198.51.100.7"),
            ("\"[2001:db8::7]\"", "2001:db8::7"),
            ("\"[2001:DB8:0::7]:8443\"", "2001:db8::7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("::FFFF:c633:6407", "198.51.100.7"),
            ("[::ffff:198.51.100.7]", "198.51.100.7"),
            ("\"[0:0:0:0:0:ffff:198.51.100.7]:9\"", "198.51.100.7"),
            ("fe80::7%2", "fe80::7"),
            ("[fe80::7%25en0]", "fe80::7"),
            ("[fe80::7%en0]:65535", "fe80::7"),
        ] {
            assert_eq!(seen(&[written], 1).as_deref(), Some(address), "{written}");
        }
        for nobodys in [
            "\"198.51.100.7",
            "198.51.100.7\"",
            "\"\"",
            "198.51.100.7:",
            "198.51.100.7:65536",
            "198.51.100.7:x",
            "[198.51.100.7",
            "[2001:db8::7]443",
            "198.51.100.7%eth0",
            "fe80::7%",
            "198.051.100.7",
            "_hidden",
            "for=198.51.100.7",
            "198.51.100",
            "",
        ] {
            assert_eq!(seen(&[nobodys], 1), None, "{nobodys}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(
            headers in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..4),
            hops in 0usize..5,
        ) {
            let headers: Vec<&[u8]> = headers.iter().map(Vec::as_slice).collect();
            let _ = nth_from_right(&headers, hops);
        }

        /// A client cannot move the entry that our outermost proxy wrote, even with bytes that are not text: each proxy
        /// appends to the last header or adds a header of its own.
        #[test]
        fn nothing_a_client_writes_moves_what_our_proxies_wrote(
            claimed in proptest::collection::vec(
                proptest::collection::vec(prop_oneof![Just(b','), Just(b' '), 0x21u8..=0xff], 0..30), 0..4),
            seen in proptest::collection::vec((any::<IpAddr>(), 0u8..4, any::<bool>()), 1..4),
        ) {
            let mut headers = claimed;
            for (ip, style, of_its_own) in &seen {
                let text = written(*ip, *style).into_bytes();
                match headers.last_mut().filter(|_| !of_its_own) {
                    Some(last) => *last = [last.as_slice(), b", ", &text].concat(),
                    None => headers.push(text),
                }
            }
            let headers: Vec<&[u8]> = headers.iter().map(Vec::as_slice).collect();
            for (at, (ip, ..)) in seen.iter().rev().enumerate() {
                prop_assert_eq!(nth_from_right(&headers, at + 1), Some(ip.to_canonical()));
            }
        }
    }
}
