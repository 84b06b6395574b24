//! The address a letter is sent to, from an address as it was typed.

use lettre::Address;
use lettre::address::AddressError;

use crate::unicode::domains;

/// With the domain in ASCII, which every mail server takes. Some phone companies issued local parts with two dots in a row, or with a dot at an end. They are no dot-atoms (RFC
/// 5322 §3.2.3), so they travel as quoted strings, which mean the same mailbox (RFC 5321 §4.1.2).
///
/// # Errors
/// If no mail can be sent there.
pub fn address(typed: &str) -> Result<Address, AddressError> {
    let (local, domain) = typed.rsplit_once('@').ok_or(AddressError::MissingParts)?;
    let domain = domains::ascii(domain).ok_or(AddressError::InvalidDomain)?;
    Address::new(local, &domain).or_else(|refused| {
        let atoms = || local.split('.').filter(|atom| !atom.is_empty());
        // With single dots between its parts it must be an address, so nothing but dots is made good by the quotes.
        if atoms().next().is_none() {
            return Err(refused);
        }
        Address::new(atoms().collect::<Vec<_>>().join("."), &domain)?;
        Address::new(format!("\"{local}\""), &domain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_dots_are_quoted_and_nothing_else_is() {
        for (typed, sent) in [
            ("ada@example.org", "ada@example.org"),
            ("a.b@example.org", "a.b@example.org"),
            ("a..b@example.org", "\"a..b\"@example.org"),
            ("a.@example.org", "\"a.\"@example.org"),
            (".a@example.org", "\".a\"@example.org"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ] {
            assert_eq!(address(typed).unwrap().to_string(), sent);
        }
        for bad in [
            "",
            "a",
            "@example.org",
            ".@example.org",
            "a..b c@example.org",
            "a..\"@example.org",
            "a..b@",
            "a..b>@x.org",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
