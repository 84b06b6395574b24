//! Where a request really came from: the peer, or as far right in `X-Forwarded-For` as our own proxies wrote.

use std::net::IpAddr;

use actix_web::HttpRequest;

/// The client's address. `trusted_hops` proxies of ours stand in front: each appended what it saw, so only
/// the Nth address from the right is believed, never what a client wrote itself (ASVS 5.0 15.3.4).
pub fn of(request: &HttpRequest, trusted_hops: usize) -> Option<IpAddr> {
    let peer = request.peer_addr().map(|peer| peer.ip());
    if trusted_hops == 0 {
        return peer;
    }
    let headers: Vec<&str> =
        request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok()).collect();
    nth_from_right(&headers, trusted_hops).or(peer)
}

/// Several headers read as one list (RFC 9110 §5.3).
fn nth_from_right(headers: &[&str], hops: usize) -> Option<IpAddr> {
    let written = headers.iter().flat_map(|header| header.split(',')).map(str::trim).collect::<Vec<_>>();
    let text = written.get(written.len().checked_sub(hops)?)?;
    parse(text)
}

/// An address, perhaps with a port, as proxies write them.
fn parse(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(headers: &[&str], hops: usize) -> Option<String> {
        nth_from_right(headers, hops).map(|ip| ip.to_string())
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
    fn ports_and_brackets_are_understood_and_nonsense_is_nobody() {
        assert_eq!(seen(&["203.0.113.7:4711"], 1).as_deref(), Some("203.0.113.7"));
        assert_eq!(seen(&["[2001:db8::1]:443"], 1).as_deref(), Some("2001:db8::1"));
        assert_eq!(seen(&["[2001:db8::1]"], 1).as_deref(), Some("2001:db8::1"));
        assert_eq!(seen(&["unknown"], 1), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC*", hops in 0usize..5) {
            let _ = nth_from_right(&[&text], hops);
        }
    }
}
