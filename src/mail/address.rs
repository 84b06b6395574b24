//! Email addresses as mail servers accept them: not all support SMTPUTF8, so domains are in ASCII (IDNA).

use lettre::Address;
use lettre::address::AddressError;
use lettre::message::Mailbox;

use crate::config::Misconfigured;
use crate::unicode::domains;

/// Parses the sender of all emails from its setting.
pub(super) fn sender(text: &str) -> Result<Mailbox, Misconfigured> {
    let wrong = |why: &str| {
        Misconfigured::new(format!(
            "LATCHKEY__MAIL__FROM={text:?} is not a sender ({why}): write it as Name <no-reply@example.org>"
        ))
    };
    let mailbox = match domain_literal(text) {
        Some(mailbox) => mailbox,
        None => text.parse::<Mailbox>().map_err(|error| wrong(&error.to_string()))?,
    };
    let email = in_ascii(mailbox.email).ok_or_else(|| wrong("its domain is not valid"))?;
    Ok(Mailbox::new(mailbox.name, email))
}

/// Parses the address of a recipient. Some phone companies issued local parts with two dots in a row or a dot at an end.
/// These are not dot-atoms (RFC 5322 §3.2.3), so they are sent as quoted strings, which mean the same mailbox (RFC 5321
/// §4.1.2).
///
/// # Errors
/// If no email can be sent to `typed`.
pub fn address(typed: &str) -> Result<Address, AddressError> {
    let (local, domain) = typed.rsplit_once('@').ok_or(AddressError::MissingParts)?;
    let domain = domains::ascii(domain).ok_or(AddressError::InvalidDomain)?;
    Address::new(local, &domain).or_else(|refused| {
        let atoms = || local.split('.').filter(|atom| !atom.is_empty());
        // With single dots, the local part has to be valid: quotes must allow nothing else.
        if atoms().next().is_none() {
            return Err(refused);
        }
        Address::new(atoms().collect::<Vec<_>>().join("."), &domain)?;
        Address::new(format!("\"{local}\""), &domain)
    })
}

/// Parses `Name <user@[192.0.2.1]>`. lettre does not accept such a domain, so it parses the rest with another one.
fn domain_literal(text: &str) -> Option<Mailbox> {
    let (before, domain) = text.strip_suffix('>')?.rsplit_once('@')?;
    crate::config::literal(domain)?;
    let mailbox: Mailbox = format!("{before}@example.org>").parse().ok()?;
    Some(Mailbox::new(mailbox.name, Address::new_dangerous(mailbox.email.user(), domain)))
}

fn in_ascii(address: Address) -> Option<Address> {
    if address.domain().is_ascii() {
        return Some(address);
    }
    Address::new(address.user(), domains::ascii(address.domain())?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_of_an_address_is_written_in_ascii() {
        for (text, ascii) in [
            ("ada@example.org", "ada@example.org"),
            ("Ada@Example.ORG", "Ada@example.org"),
            ("ada@b\u{fc}cher.example", "ada@xn--bcher-kva.example"),
            ("ada@B\u{dc}CHER.example", "ada@xn--bcher-kva.example"),
            ("ada@\u{4f8b}\u{3048}.jp", "ada@xn--r8jz45g.jp"),
            ("ada@\u{43f}\u{43e}\u{447}\u{442}\u{430}.\u{440}\u{444}", "ada@xn--80a1acny.xn--p1ai"),
            ("jos\u{e9}@b\u{fc}cher.example", "jos\u{e9}@xn--bcher-kva.example"),
        ] {
            assert_eq!(address(text).unwrap().to_string(), ascii);
        }
    }

    #[test]
    fn a_sender_is_understood_however_it_is_written() {
        for (text, name, email) in [
            ("no-reply@example.org", None, "no-reply@example.org"),
            ("Latchkey <no-reply@localhost>", Some("Latchkey"), "no-reply@localhost"),
            ("\"M\u{fc}ller, B\u{fc}ro\" <a@example.org>", Some("M\u{fc}ller, B\u{fc}ro"), "a@example.org"),
            (
                "Latchkey \u{1f511} <a@b\u{fc}cher.example>",
                Some("Latchkey \u{1f511}"),
                "a@xn--bcher-kva.example",
            ),
            ("Latchkey <no-reply@[192.0.2.1]>", Some("Latchkey"), "no-reply@[192.0.2.1]"),
            ("Latchkey <no-reply@[IPv6:2001:db8::1]>", Some("Latchkey"), "no-reply@[IPv6:2001:db8::1]"),
        ] {
            let sender = sender(text).unwrap();
            assert_eq!((sender.name.as_deref(), sender.email.to_string().as_str()), (name, email), "{text}");
        }
        for text in ["", "nobody", "a@", "Latchkey <no reply@[192.0.2.1]>", "x@y.z, a@b.c <x@[192.0.2.1]>"] {
            let refusal = sender(text).err().map(|wrong| wrong.to_string()).unwrap_or_default();
            assert!(refusal.contains("LATCHKEY__MAIL__FROM"), "{text:?}: {refusal}");
        }
    }

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
