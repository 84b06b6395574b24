//! The mail settings, and what the public URL implies for them: the sender and the name in EHLO.

use std::net::IpAddr;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::choice::choice;
use super::documented::documented;
use super::origin::is_host_name;
use super::problems::Problems;
use super::{Misconfigured, Origin, Span, hidden};

choice! {
    /// Where emails go: a page of this instance, a mail server, or nowhere.
    Transport { Mailbox = "mailbox", Smtp = "smtp", None = "none" }
}

documented! {
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub(super) struct RawMail {
        /// `smtp`, `none`, or `mailbox`: a page that shows every email, in local mode only.
        /// Default: `smtp` if its URL is set, otherwise `none`; in local mode `mailbox`
        transport: Option<Transport>,
        /// The mail server: `smtps://user:password@mail.example.org`, or with STARTTLS
        /// `smtp://user:password@mail.example.org:587?tls=required`.
        #[serde(serialize_with = "hidden::secret")]
        smtp_url: Option<SecretString>,
        /// The sender. The mail server has to allow it.
        /// Default: `Latchkey <no-reply@…>` with the public host
        from: Option<String>,
        /// The name Latchkey gives in EHLO. Strict servers refuse a name without a dot, such as a container's.
        /// Default: the public host, or the sender's domain if that is `localhost`
        ehlo: Option<String>,
        /// How long recipient and subject of a delivered email are kept, to answer "was it sent?". The text is erased
        /// on delivery.
        keep: Option<Span>,
    }
}

#[derive(Clone)]
pub struct MailSettings {
    pub transport: Transport,
    pub smtp_url: Option<SecretString>,
    pub from: String,
    /// The name in EHLO: a host name, or an IP address in brackets.
    pub ehlo: String,
    /// How long delivered emails stay listed, without their text.
    pub keep: Span,
}

impl RawMail {
    pub fn resolve(self, local: bool, public: &Origin, problems: &mut Problems) -> MailSettings {
        // The mailbox shows reset links to everyone who can open it, so only this machine may reach it.
        let private = local && public.is_loopback();
        let transport = self.transport.unwrap_or(match (&self.smtp_url, private) {
            (Some(_), _) => Transport::Smtp,
            (None, true) => Transport::Mailbox,
            (None, false) => Transport::None,
        });
        if transport == Transport::Mailbox && !private {
            problems.add(
                "LATCHKEY__MAIL__TRANSPORT=mailbox shows every email to everyone, so it works in local mode only, \
                 with a localhost public URL",
            );
        }
        if transport == Transport::Smtp && self.smtp_url.is_none() {
            problems
                .add("LATCHKEY__MAIL__SMTP_URL is missing, such as smtps://user:password@mail.example.org");
        }
        let from = self.from.unwrap_or_else(|| format!("Latchkey <no-reply@{}>", sender_domain(public)));
        let ehlo = match &self.ehlo {
            Some(text) => problems.value_of(ehlo_name(text).ok_or_else(|| {
                Misconfigured::new(format!(
                    "LATCHKEY__MAIL__EHLO={text:?} is neither a host name nor an IP address: write the name by \
                     which mail servers know this host, such as id.example.org"
                ))
            })),
            None => None,
        };
        MailSettings {
            transport,
            ehlo: ehlo.unwrap_or_else(|| {
                derived_ehlo(self.smtp_url.as_ref().map(SecretString::expose_secret), public, &from)
            }),
            smtp_url: self.smtp_url,
            from,
            keep: self.keep.unwrap_or(Span::days(30)),
        }
    }
}

/// The default name in EHLO: the first candidate that other mail servers can know. Strict servers refuse a name without a
/// dot, such as that of a container, and accept an IP address in brackets (RFC 5321 §4.1.4).
fn derived_ehlo(smtp_url: Option<&str>, public: &Origin, from: &str) -> String {
    let url = smtp_url.and_then(|url| Url::parse(url).ok());
    let of_url = url.as_ref().map(|url| url.path().trim_matches('/')).filter(|path| !path.is_empty());
    if let Some(name) = of_url.and_then(ehlo_name) {
        return name;
    }
    let sender = from.rsplit_once('@').map(|(_, domain)| domain.trim_end_matches('>'));
    let names = [Some(public.host()), sender].into_iter().flatten().filter_map(ehlo_name);
    let mut known = names.filter(|name| match literal(name) {
        Some(ip) => !ip.is_loopback(),
        None => name.contains('.') && !name.ends_with(".localhost"),
    });
    known.next().unwrap_or_else(|| "[127.0.0.1]".to_owned())
}

/// `text` as the argument of EHLO: a host name in ASCII, or an IP address in brackets; `None` if it is neither.
fn ehlo_name(text: &str) -> Option<String> {
    let bracketed = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    };
    if let Some(ip) = literal(text).or_else(|| text.parse().ok()) {
        return Some(bracketed(ip));
    }
    match Host::parse(text.trim_end_matches('.')).ok()? {
        Host::Ipv4(ip) => Some(bracketed(ip.into())),
        Host::Ipv6(ip) => Some(bracketed(ip.into())),
        Host::Domain(name) => is_host_name(&name).then_some(name),
    }
}

/// The IP address in a literal such as `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
pub fn literal(text: &str) -> Option<IpAddr> {
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    inside.strip_prefix("IPv6:").unwrap_or(inside).parse().ok()
}

/// The domain of the default sender, with an IP address in the form of RFC 5321 §4.1.3.
fn sender_domain(public: &Origin) -> String {
    match Host::parse(public.host()) {
        _ if public.is_loopback() && !public.host().ends_with("localhost") => "localhost".to_owned(),
        Ok(Host::Ipv4(ip)) => format!("[{ip}]"),
        Ok(Host::Ipv6(ip)) => format!("[IPv6:{ip}]"),
        Ok(Host::Domain(_)) | Err(_) => public.host().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ehlo(public: &str, smtp_url: &str, from: &str) -> String {
        derived_ehlo(Some(smtp_url), &Origin::parse(public).unwrap(), from)
    }

    #[test]
    fn a_mail_server_is_greeted_with_a_name_it_can_know() {
        let smtp = "smtps://mail.example.net";
        for (public, from, name) in [
            ("https://id.example.org", "x@example.net", "id.example.org"),
            ("https://b\u{fc}cher.example", "x@example.net", "xn--bcher-kva.example"),
            ("http://localhost:8080", "Latchkey <no-reply@example.org>", "example.org"),
            ("http://localhost:8080", "Latchkey <no-reply@b\u{fc}cher.example>", "xn--bcher-kva.example"),
            ("http://app.localhost:8080", "no-reply@localhost", "[127.0.0.1]"),
            ("http://[::1]:8080", "no-reply@localhost", "[127.0.0.1]"),
            ("https://192.0.2.1", "no-reply@example.org", "[192.0.2.1]"),
            ("https://[2001:db8::1]", "no-reply@example.org", "[IPv6:2001:db8::1]"),
        ] {
            assert_eq!(ehlo(public, smtp, from), name, "{public} {from}");
        }
        assert_eq!(
            ehlo("https://id.example.org", "smtp://mail/relay-7.example.org", "x@y.z"),
            "relay-7.example.org"
        );
    }

    #[test]
    fn a_greeting_is_a_host_name_or_an_address() {
        for (text, said) in [
            ("mailhub", Some("mailhub")),
            ("ID.Example.org.", Some("id.example.org")),
            ("192.0.2.1", Some("[192.0.2.1]")),
            ("[192.0.2.1]", Some("[192.0.2.1]")),
            ("2001:db8::1", Some("[IPv6:2001:db8::1]")),
            ("[IPv6:2001:db8::1]", Some("[IPv6:2001:db8::1]")),
            ("", None),
            ("two words", None),
            ("a..b", None),
            ("id.example.org\r\nMAIL FROM:<x@y.z>", None),
        ] {
            assert_eq!(ehlo_name(text).as_deref(), said, "{text:?}");
        }
    }
}
