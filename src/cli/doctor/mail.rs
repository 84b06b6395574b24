//! Checks mail: connects to the mail server and sends nothing.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use url::Url;

use super::bounded;
use super::finding::{Finding, note, ok, problem, warning};
use crate::config::{Settings, Transport};
use crate::mail::Mailer;

/// A mail server may look up the client before it answers.
const WITHIN: Duration = Duration::from_secs(10);

pub fn look(settings: &Settings) -> Vec<Finding> {
    let mailer = Mailer::new(&settings.mail, settings.server.public.clone(), settings.secret.clone());
    let mailer = match mailer {
        Ok(mailer) => mailer,
        Err(wrong) => {
            let wrong = wrong.to_string();
            return vec![problem(
                "mail.server",
                wrong.trim_start_matches("settings: "),
                "correct the setting",
            )];
        }
    };
    let from = from(settings, &mailer);
    match settings.mail.transport {
        Transport::Mailbox => vec![ok("mail.server", "emails are shown at /dev/mailbox"), from],
        Transport::None => vec![note(
            "mail.server",
            "mail is off: no registrations, password resets or notices",
            "set LATCHKEY__MAIL__SMTP_URL",
        )],
        Transport::Smtp => vec![server(settings, mailer), privacy(settings), from],
    }
}

fn server(settings: &Settings, mailer: Mailer) -> Finding {
    let ehlo = settings.mail.ehlo.clone();
    let connected = bounded("mail.server", WITHIN, move || {
        Ok(match mailer.test_connection() {
            Some(Ok(())) => ok("mail.server", format!("it answers and accepts us as {ehlo}")),
            Some(Err(why)) => problem(
                "mail.server",
                without_credentials(&why),
                format!(
                    "emails wait in the outbox until then: check host, port, TLS, user and password in LATCHKEY__MAIL__SMTP_URL, and whether the server accepts {ehlo} as the client's name (LATCHKEY__MAIL__EHLO)"
                ),
            ),
            None => note("mail.server", "there is no mail server", "set LATCHKEY__MAIL__SMTP_URL"),
        })
    });
    connected.unwrap_or_else(|finding| finding)
}

/// A server may repeat what the client sent.
fn without_credentials(text: &str) -> String {
    let words =
        text.split_whitespace().map(|word| if word.contains('@') || word.len() > 80 { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

fn privacy(settings: &Settings) -> Finding {
    let Some(url) = settings.mail.smtp_url.as_ref().and_then(|url| Url::parse(url.expose_secret()).ok())
    else {
        return problem(
            "mail.tls",
            "the URL of the mail server is invalid",
            "correct LATCHKEY__MAIL__SMTP_URL",
        );
    };
    let required = url.query_pairs().any(|(name, value)| name == "tls" && value == "required");
    // For an unknown scheme, `url` parses an IP address as a name.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let near = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match () {
        () if url.scheme() == "smtps" || required => {
            ok("mail.tls", "encrypted, and the identity of the server is verified")
        }
        () if near => note(
            "mail.tls",
            "not encrypted, within this machine",
            "encryption from there on depends on that server",
        ),
        () => warning(
            "mail.tls",
            "emails may be sent readable, with links that give access to accounts",
            "use smtps://, or append ?tls=required to smtp://",
        ),
    }
}

/// Whether receivers can tell that the sender is genuine.
fn from(settings: &Settings, mailer: &Mailer) -> Finding {
    let (from, host) = (mailer.sender_domain(), settings.server.public.host());
    if from == host || host.ends_with(&format!(".{from}")) {
        return ok("mail.from", settings.mail.from.clone());
    }
    note(
        "mail.from",
        format!("{} is not in the domain of {host}", settings.mail.from),
        format!(
            "make sure that {from} has SPF and DKIM for this mail server; otherwise emails look like phishing"
        ),
    )
}
