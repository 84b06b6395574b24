//! Our own cookies, which an app neither receives nor sets.

use actix_web::http::header::HeaderValue;

/// Whether a cookie of this name is ours: one of `latchkey` and `latchkey-…`, with or without the prefix that it has on
/// https. Some browsers and servers ignore the case.
pub fn is_ours(name: &[u8]) -> bool {
    let mut name = name.trim_ascii();
    for prefix in [&b"__host-"[..], b"__secure-"] {
        if name.len() >= prefix.len() && name[..prefix.len()].eq_ignore_ascii_case(prefix) {
            name = &name[prefix.len()..];
            break;
        }
    }
    let own = b"latchkey";
    name.len() >= own.len()
        && name[..own.len()].eq_ignore_ascii_case(own)
        && matches!(name.get(own.len()), None | Some(b'-'))
}

/// The cookies of a request without ours, as one header; `None` if there are no others.
pub fn without_ours<'v>(lines: impl Iterator<Item = &'v [u8]>) -> Option<Vec<u8>> {
    let mut others = Vec::new();
    for pair in lines.flat_map(|line| line.split(|byte| *byte == b';')) {
        let pair = pair.trim_ascii();
        if pair.is_empty() || is_ours(name_of(pair)) {
            continue;
        }
        if !others.is_empty() {
            others.extend_from_slice(b"; ");
        }
        others.extend_from_slice(pair);
    }
    (!others.is_empty()).then_some(others)
}

/// Whether a `Set-Cookie` header sets one of ours.
pub fn sets_ours(value: &HeaderValue) -> bool {
    let pair = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    is_ours(name_of(pair))
}

/// The cookie for the app's own host: one for a whole domain would be sent to the portal and to other apps.
pub fn for_host(value: HeaderValue, host: &str) -> HeaderValue {
    let is_for_others = |attribute: &[u8]| {
        let mut parts = attribute.splitn(2, |byte| *byte == b'=');
        let name = parts.next().unwrap_or_default().trim_ascii();
        let domain = parts.next().unwrap_or_default().trim_ascii();
        let domain = domain.strip_prefix(b".").unwrap_or(domain);
        name.eq_ignore_ascii_case(b"domain") && !domain.eq_ignore_ascii_case(host.as_bytes())
    };
    let mut parts = value.as_bytes().split(|byte| *byte == b';');
    if !parts.clone().skip(1).any(is_for_others) {
        return value;
    }
    let mut kept = parts.next().unwrap_or_default().to_vec();
    for attribute in parts.filter(|attribute| !is_for_others(attribute)) {
        kept.push(b';');
        kept.extend_from_slice(attribute);
    }
    HeaderValue::from_bytes(&kept).unwrap_or(value)
}

/// A cookie without a name is written `=value`, and some parsers read a name and a value in what follows `=`.
fn name_of(pair: &[u8]) -> &[u8] {
    let mut pair = pair.trim_ascii();
    while let Some(rest) = pair.strip_prefix(b"=") {
        pair = rest.trim_ascii();
    }
    pair.split(|byte| *byte == b'=').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn our_names_are_recognized_in_every_spelling() {
        for name in [
            "latchkey",
            "latchkey-app",
            "__Host-latchkey-app",
            "__Host-latchkey-state",
            "__host-Latchkey-state",
            "__Secure-latchkey-lab-run",
            " latchkey-state\t",
        ] {
            assert!(is_ours(name.as_bytes()), "{name}");
        }
        for name in ["latchkeys", "my-latchkey-app", "__Host-session", "latch", "", "__Host-"] {
            assert!(!is_ours(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn the_other_cookies_stay_as_they_were_sent() {
        let lines =
            ["a=b; __Host-latchkey-app=1;c=d=e".as_bytes(), b"latchkey-state=2", b"f; =latchkey-app=3"];
        assert_eq!(without_ours(lines.into_iter()).as_deref(), Some(&b"a=b; c=d=e; f"[..]));
        assert_eq!(without_ours([&b"latchkey-app=1"[..], b" ; "].into_iter()), None);
    }

    #[test]
    fn an_app_cannot_set_a_cookie_of_ours() {
        for set in
            ["__Host-latchkey-app=x; Path=/", "latchkey=x; Domain=example.org", "=latchkey-app=x", "latchkey"]
        {
            assert!(sets_ours(&HeaderValue::from_static(set)), "{set}");
        }
        for set in ["session=latchkey; Path=/", "a=b; latchkey=c", ""] {
            assert!(!sets_ours(&HeaderValue::from_static(set)), "{set}");
        }
    }

    #[test]
    fn a_cookie_stays_on_the_host_of_its_app() {
        for (set, kept) in [
            ("a=b; Path=/; Domain=example.org; Secure", "a=b; Path=/; Secure"),
            ("a=b; domain = .Example.org", "a=b"),
            ("a=b; Domain=wiki.example.org; Domain=example.org", "a=b; Domain=wiki.example.org"),
            ("a=b; Domain=.wiki.example.org", "a=b; Domain=.wiki.example.org"),
            ("a=Domain=x; Path=/", "a=Domain=x; Path=/"),
            ("a=b; Domain", "a=b"),
        ] {
            let value = HeaderValue::from_static(set);
            assert_eq!(for_host(value, "wiki.example.org"), kept, "{set}");
        }
    }

    proptest! {
        #[test]
        fn no_cookie_of_ours_is_left(line in "[a-c=; ]{0,12}(latchkey-app|__Host-latchkey-state)[a-c=; -]{0,12}") {
            let left = without_ours([line.as_bytes()].into_iter()).unwrap_or_default();
            for pair in left.split(|byte| *byte == b';') {
                prop_assert!(!is_ours(name_of(pair)), "{line:?}");
            }
        }
    }
}
