//! Domains of email addresses. One domain has several spellings (`bücher.example`, `BÜCHER。example`,
//! `xn--bcher-kva.example`); IDNA (UTS #46, as the URL Standard applies it) maps all of them to one ASCII form.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// The ASCII form of a domain; `None` if it is not a valid DNS name.
pub fn ascii(domain: &str) -> Option<String> {
    Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::URL, Hyphens::Allow, DnsLength::Verify)
        .ok()
        .map(|ascii| ascii.into_owned())
}

/// The Unicode form of a domain, as a person types it. A domain that IDNA refuses stays unchanged.
pub fn unicode(domain: &str) -> String {
    let (text, valid) = Uts46::new().to_unicode(domain.as_bytes(), AsciiDenyList::URL, Hyphens::Allow);
    match valid {
        Ok(()) => text.into_owned(),
        Err(_) => domain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_domain_has_one_ascii_form() {
        for (spellings, form) in [
            (&["Example.ORG", "example.org", "ｅｘａｍｐｌｅ．org"][..], "example.org"),
            (&["日本語.example", "日本語。example", "XN--WGV71A119E.Example"], "xn--wgv71a119e.example"),
            (&["zu\u{308}rich.example", "ZÜRICH.example", "xn--zrich-kva.example"], "xn--zrich-kva.example"),
            // Not "strasse", which is another registrable name (UTS #46, non-transitional).
            (&["straße.example"], "xn--strae-oqa.example"),
        ] {
            for spelling in spellings {
                assert_eq!(ascii(spelling).as_deref(), Some(form), "{spelling}");
            }
        }
    }

    #[test]
    fn a_name_that_dns_cannot_have_has_no_form() {
        for bad in
            ["", "a..b", "example.org.", "xn--zzzzzz-.example", "a b.example", "a%b.example", &"x".repeat(64)]
        {
            assert_eq!(ascii(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_unicode_form_is_what_a_person_types() {
        assert_eq!(unicode("xn--wgv71a119e.example"), "日本語.example");
        assert_eq!(unicode("example.org"), "example.org");
        assert_eq!(unicode("xn--zzzzzz-.example"), "xn--zzzzzz-.example");
    }
}
