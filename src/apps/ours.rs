//! The addresses at which Latchkey itself answers. No app may use the portal's host, and no upstream may lead to them.

use std::net::IpAddr;

use crate::apps::app::App;
use crate::apps::origin::AppOrigin;
use crate::apps::upstream::Upstream;
use crate::config::Origin;

/// The address of the portal, and the port that this instance listens on.
#[derive(Clone, Debug)]
pub(super) struct Portal {
    pub origin: Origin,
    pub port: u16,
}

impl Portal {
    pub(super) fn new(origin: &Origin, port: u16) -> Self {
        Self { origin: origin.clone(), port }
    }

    pub(super) fn has_host_of(&self, origin: &AppOrigin) -> bool {
        self.origin.host().eq_ignore_ascii_case(origin.host())
    }

    /// Whether requests to `upstream` would come back to the portal or to one of `apps`.
    pub(super) fn is_reached_by<'a>(
        &self,
        upstream: &Upstream,
        apps: impl IntoIterator<Item = &'a App>,
    ) -> bool {
        let host = upstream.host.to_ascii_lowercase();
        if upstream.port == self.port && is_this_machine(&host) {
            return true;
        }
        // Behind a TLS terminator, the portal and its apps answer on both default ports.
        let is_at = |own: &str, port: Option<u16>| {
            own.trim_matches(['[', ']']) == host
                && match port {
                    Some(port) => port == upstream.port,
                    None => matches!(upstream.port, 80 | 443),
                }
        };
        let portal = url::Url::parse(self.origin.as_str()).ok().and_then(|url| url.port());
        is_at(self.origin.host(), portal)
            || apps.into_iter().flat_map(|app| &app.origins).any(|origin| is_at(origin.host(), origin.port()))
    }
}

fn is_this_machine(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback() || address.is_unspecified(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::Slug;

    #[test]
    fn an_upstream_that_leads_back_is_recognised() {
        let local = Portal { origin: Origin::parse("http://localhost:8080").unwrap(), port: 8080 };
        let online = Portal { origin: Origin::parse("https://id.example.org").unwrap(), port: 8080 };
        let wiki = App::new(
            Slug::parse("wiki").unwrap(),
            None,
            vec![AppOrigin::parse("https://wiki.example.org").unwrap()],
        );
        for (portal, text, is_ours) in [
            (&local, "http://localhost:8080", true),
            (&local, "http://127.0.0.1:8080", true),
            (&local, "http://[::1]:8080", true),
            (&local, "http://[::ffff:127.0.0.1]:8080", true),
            (&local, "http://0.0.0.0:8080", true),
            (&local, "http://wiki.localhost:8080", true),
            (&local, "http://localhost:3000", false),
            (&local, "http://127.0.0.1:3000", false),
            (&online, "https://id.example.org", true),
            (&online, "http://id.example.org", true),
            (&online, "http://ID.example.org:80", true),
            (&online, "http://id.example.org:3000", false),
            (&online, "https://wiki.example.org", true),
            (&online, "http://wiki:3000", false),
            (&online, "http://localhost:8080", true),
        ] {
            let upstream = Upstream::parse(text, None).unwrap();
            assert_eq!(portal.is_reached_by(&upstream, [&wiki]), is_ours, "{text}");
        }
    }
}
