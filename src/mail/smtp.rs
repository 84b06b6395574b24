//! The connection to the mail server, from its URL, and the meaning of its replies.

use std::error::Error as _;
use std::time::Duration;

use lettre::SmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::config::{self, Misconfigured};

/// If the mail server does not answer in this time, delivery is tried again later.
const TIMEOUT: Duration = Duration::from_secs(20);

/// `smtps://user:password@host` (TLS from the first byte), `smtp://host?tls=required` (STARTTLS), or plain
/// `smtp://localhost:1025` to try it out. Certificates are verified.
pub(super) fn relay(url: &str, ehlo: &str) -> Result<SmtpTransport, Misconfigured> {
    let url = Url::parse(url).map_err(|error| wrong(&format!("is not a URL ({error})")))?;
    let host = host(&url).ok_or_else(|| wrong("has no host"))?;
    let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    let certified = || {
        TlsParameters::new(host.clone())
            .map_err(|error| wrong(&format!("cannot be reached with TLS ({error})")))
    };
    let (port, tls) = match (url.scheme(), tls.as_deref()) {
        ("smtps", _) => (SUBMISSIONS_PORT, Tls::Wrapper(certified()?)),
        ("smtp", None) => (SMTP_PORT, Tls::None),
        ("smtp", Some("required")) => (SUBMISSION_PORT, Tls::Required(certified()?)),
        ("smtp", Some("opportunistic")) => (SUBMISSION_PORT, Tls::Opportunistic(certified()?)),
        ("smtp", Some(other)) => {
            return Err(wrong(&format!("has tls={other:?}, which is not one of: required, opportunistic")));
        }
        (other, _) => return Err(wrong(&format!("begins with {other:?}, which is not one of: smtps, smtp"))),
    };
    let builder = SmtpTransport::builder_dangerous(host)
        .port(url.port().unwrap_or(port))
        .tls(tls)
        .hello_name(client_id(ehlo))
        .timeout(Some(TIMEOUT));
    let Some(password) = url.password() else { return Ok(builder.build()) };
    let decoded = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        decoded.map_err(|_| wrong("has a user or a password that is not UTF-8"))
    };
    let credentials = Credentials::new(decoded(url.username())?, decoded(password)?);
    Ok(builder.credentials(credentials).build())
}

/// The message does not repeat the value, which may contain a password.
fn wrong(what: &str) -> Misconfigured {
    Misconfigured::new(format!(
        "LATCHKEY__MAIL__SMTP_URL {what}: write it as smtps://user:password@mail.example.org, with signs such as \
         @ : / # ? % in user and password percent-encoded (@ is %40)"
    ))
}

/// The host to connect to, in ASCII; an IPv6 address without its brackets.
fn host(url: &Url) -> Option<String> {
    let written = percent_decode_str(url.host_str()?).decode_utf8().ok()?;
    Some(match Host::parse(&written).ok()? {
        Host::Domain(name) => name,
        Host::Ipv4(ip) => ip.to_string(),
        Host::Ipv6(ip) => ip.to_string(),
    })
}

fn client_id(ehlo: &str) -> ClientId {
    match config::literal(ehlo) {
        Some(std::net::IpAddr::V4(ip)) => ClientId::Ipv4(ip),
        Some(std::net::IpAddr::V6(ip)) => ClientId::Ipv6(ip),
        None => ClientId::Domain(ehlo.to_owned()),
    }
}

/// Whether the mail server rejected the email because the mailbox does not exist, so that every further attempt would
/// fail as well. Other rejections may end: policies, block lists and quotas change.
pub(super) fn is_unknown_mailbox(error: &Error) -> bool {
    error.is_permanent() && error.source().is_some_and(|reply| is_unknown_recipient(&reply.to_string()))
}

/// RFC 3463 §3.2: no such mailbox, no such domain, an invalid address, a mailbox that moved, and a domain that accepts no
/// mail (RFC 7505). A 550 without one of these codes may be a policy.
fn is_unknown_recipient(reply: &str) -> bool {
    let status = reply.split_whitespace().next().unwrap_or_default();
    ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"].contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_recipient_that_does_not_exist_is_final() {
        for (reply, is_final) in [
            ("5.1.1 <nobody@example.org>: Recipient address rejected: User unknown", true),
            ("5.1.2 Bad destination system address", true),
            ("5.1.10 Recipient address has null MX", true),
            ("5.1.8 Sender address rejected: Domain not found", false),
            ("5.2.2 Mailbox full", false),
            ("5.7.1 Access denied, try later", false),
            ("No such user here", false),
            ("5.1.1x", false),
            ("", false),
        ] {
            assert_eq!(is_unknown_recipient(reply), is_final, "{reply}");
        }
    }

    #[test]
    fn every_way_to_write_a_mail_server_is_understood() {
        for url in [
            "smtps://mail.example.org",
            "smtps://mail.example.org:465",
            "smtp://mail.example.org?tls=required",
            "smtp://mail.example.org:587?tls=opportunistic",
            "smtp://[::1]:2525",
            "smtp://127.0.0.1:1025",
            "smtps://b\u{fc}cher.example",
            "smtps://no-reply%40example.org:p%40ss%3Aw%2Fo%3Fr%23d%20%25@mail.example.org/relay.example.org",
        ] {
            assert!(relay(url, "id.example.org").is_ok(), "{url}");
        }
    }

    #[test]
    fn an_invalid_mail_url_is_refused_with_an_example_and_without_the_password() {
        for (url, words) in [
            ("pigeon://u:hunter2@loft", "not one of: smtps, smtp"),
            ("smtp://u:hunter2@mail.example.org?tls=maybe", "not one of: required, opportunistic"),
            ("smtps://u:hunter2#5@mail.example.org", "%40"),
            ("hunter2", "is not a URL"),
            ("smtps:hunter2", "has no host"),
            ("smtps://u:hunter2%FF@mail.example.org", "not UTF-8"),
        ] {
            let refusal =
                relay(url, "id.example.org").err().map(|wrong| wrong.to_string()).unwrap_or_default();
            assert!(refusal.contains(words) && !refusal.contains("hunter2"), "{url}: {refusal}");
        }
    }

    #[test]
    fn an_address_literal_is_told_from_a_name() {
        assert_eq!(client_id("[192.0.2.1]").to_string(), "[192.0.2.1]");
        assert_eq!(client_id("[IPv6:2001:db8::1]").to_string(), "[IPv6:2001:db8::1]");
        assert_eq!(client_id("id.example.org").to_string(), "id.example.org");
    }
}
