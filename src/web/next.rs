//! Where to go afterwards: a path of this site, or nowhere.

/// Longest `next` that is kept: no page of ours has a longer address.
const MAX_BYTES: usize = 2048;

/// Keeps `raw` only when every browser reads it as a path on this very site.
pub fn safe(raw: &str) -> Option<&str> {
    let path = raw.strip_prefix('/')?;
    // `//host` and `/\host` name another host; browsers drop tabs and line breaks before they look.
    let leaves = path.starts_with(['/', '\\']) || path.contains('\\');
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
    (raw.len() <= MAX_BYTES && plain && !leaves).then_some(raw)
}

#[cfg(test)]
mod tests {
    use super::safe;
    use proptest::prelude::*;

    #[test]
    fn paths_of_this_site_are_kept() {
        for path in ["/", "/home", "/admin/users?q=a%20b&page=2", "/a//b", "/a#part"] {
            assert_eq!(safe(path), Some(path));
        }
    }

    #[test]
    fn everything_else_is_dropped() {
        for raw in [
            "",
            "home",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "javascript:alert(1)",
            "/a\\b",
            "/ä",
            "/a b",
            "\u{0}/",
            "/%\n",
        ] {
            assert_eq!(safe(raw), None, "{raw:?}");
        }
        assert_eq!(safe(&format!("/{}", "a".repeat(8192))), None);
    }

    proptest! {
        #[test]
        fn what_is_kept_stays_on_this_site(raw in "[/\\\\a-z.:@?#\\t ]{0,20}") {
            if let Some(kept) = safe(&raw) {
                let here = url::Url::parse("https://id.example.org").unwrap();
                prop_assert_eq!(here.join(kept).unwrap().origin(), here.origin());
            }
        }
    }
}
