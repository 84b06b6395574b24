//! The mail server, from its URL.

use std::time::Duration;

use lettre::SmtpTransport;

use crate::config::Misconfigured;

/// A mail server that has not answered by then is tried again later.
const TIMEOUT: Duration = Duration::from_secs(20);

/// `smtps://user:password@host` (TLS from the first byte), `smtp://host?tls=required` (STARTTLS), or plain
/// `smtp://localhost:1025` for trying out. Certificates are verified.
pub(super) fn relay(url: &str) -> Result<SmtpTransport, Misconfigured> {
    let builder = SmtpTransport::from_url(url)
        .map_err(|error| Misconfigured::new(format!("LATCHKEY__MAIL__SMTP_URL: {error}")))?;
    Ok(builder.timeout(Some(TIMEOUT)).build())
}
