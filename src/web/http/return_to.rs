//! Where to redirect after a form: a path of this site, or nowhere.

use actix_web::http::header::{self, HeaderMap};

use super::shared::Shared;

/// Longest path that is accepted; no page has a longer address.
const MAX_BYTES: usize = 2048;

/// The path that leads back to an app contains a path of the app, with up to three bytes for each of its own.
const MAX_BYTES_TO_APP: usize = 3 * MAX_BYTES + 512;

/// Below it, `/go/{slug}` leads to an app.
const TO_APP: &str = "/go/";

/// Returns `raw` if every browser resolves it to a path on this site.
pub fn safe(raw: &str) -> Option<&str> {
    let path = raw.strip_prefix('/')?;
    // `//host` and `/\host` name another host; browsers remove tabs and line breaks before they parse.
    let leaves = path.starts_with(['/', '\\']) || path.contains('\\');
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
    let max_bytes = if raw.starts_with(TO_APP) { MAX_BYTES_TO_APP } else { MAX_BYTES };
    (raw.len() <= max_bytes && plain && !leaves).then_some(raw)
}

/// The page of this site from which the form was sent.
pub fn referring_page(headers: &HeaderMap, shared: &Shared) -> Option<String> {
    let referer = headers.get(header::REFERER)?.to_str().ok()?;
    safe(referer.strip_prefix(shared.public.as_str())?).map(str::to_owned)
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
        assert_eq!(safe(&format!("/go/{}", "a".repeat(8192))), None);
        assert!(safe(&format!("/go/wiki?to={}", "%2f".repeat(2048))).is_some());
    }

    proptest! {
        /// Resolved as browsers do (WHATWG URL), relative to any page that may redirect to it.
        #[test]
        fn what_is_kept_stays_on_this_site(
            raw in prop_oneof!["/?[/\\\\a-z.:@?#%\t\r\n ]{0,20}", "/[/\\\\.@:]{0,4}\\PC{0,20}", "\\PC{0,40}"],
            from in prop_oneof![Just("/login"), Just("/admin/users/x?page=2"), Just("/")],
        ) {
            if let Some(kept) = safe(&raw) {
                let here = url::Url::parse("https://id.example.org").unwrap().join(from).unwrap();
                let there = here.join(kept).unwrap();
                prop_assert_eq!(there.origin(), here.origin());
                prop_assert_eq!(there.username(), "");
                // It is written into a header unchanged, so it must be one line of ASCII.
                prop_assert_eq!(kept, raw.as_str());
                prop_assert!(kept.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
