//! The relying party that passkeys are made for: the host of the public URL.

use std::fmt;
use std::sync::Arc;

use url::Url;
use webauthn_rs::prelude::{Webauthn, WebauthnBuilder};

use crate::config::{Misconfigured, Origin};
use crate::db::{Failed, refuse};
use crate::factors::passkeys::ceremony::CEREMONY_TIMEOUT;
use crate::factors::passkeys::model::PasskeyRefusal;

/// `None` if the public URL contains an IP address, for which browsers make no passkeys.
#[derive(Clone)]
pub(crate) struct RelyingParty(Option<Arc<Webauthn>>);

impl RelyingParty {
    pub fn new(public: &Origin) -> Result<Self, Misconfigured> {
        let broken =
            |why: &dyn fmt::Display| Misconfigured::new(format!("passkeys for {}: {why}", public.as_str()));
        let url = Url::parse(public.as_str()).map_err(|error| broken(&error))?;
        let Some(domain) = url.domain() else { return Ok(Self(None)) };
        let webauthn = WebauthnBuilder::new(domain, &url)
            .and_then(|builder| builder.rp_name("Latchkey").timeout(CEREMONY_TIMEOUT).build())
            .map_err(|error| broken(&error))?;
        Ok(Self(Some(Arc::new(webauthn))))
    }

    /// Whether browsers make passkeys for the public URL.
    pub fn has_passkeys(&self) -> bool {
        self.0.is_some()
    }

    pub fn webauthn(&self) -> Result<Arc<Webauthn>, Failed<PasskeyRefusal>> {
        self.0.clone().map_or_else(|| refuse(PasskeyRefusal::Unavailable), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_made_for_hosts_and_not_for_addresses() {
        let works = |url: &str| RelyingParty::new(&Origin::parse(url).unwrap()).unwrap().0.is_some();
        assert!(works("https://id.example.org") && works("https://id.example.org:8443"));
        assert!(works("http://localhost:8080"));
        assert!(
            !works("https://192.0.2.7") && !works("https://[2001:db8::1]") && !works("http://127.0.0.1:8080")
        );
    }
}
