//! The names of proxies, what cannot be done with each, and why no configuration was written.

use super::phrase::Phrase;
use crate::apps::{ProxyConfigRefusal, ProxyKind};

/// The name that the proxy gives itself.
pub fn proxy_name(kind: ProxyKind) -> &'static str {
    match kind {
        ProxyKind::Nginx => "nginx",
        ProxyKind::Caddy => "Caddy",
        ProxyKind::Traefik => "Traefik",
        ProxyKind::Haproxy => "HAProxy",
        ProxyKind::Envoy => "Envoy",
    }
}

/// What this proxy does not do, where Latchkey as the proxy does.
pub fn limits(kind: ProxyKind) -> &'static str {
    match kind {
        ProxyKind::Nginx | ProxyKind::Haproxy => {
            "A websocket or download that is running when a session ends goes on until it ends by itself."
        }
        ProxyKind::Caddy => {
            "A websocket that is running when a session ends goes on for up to 5 minutes, an event stream or a download until it ends by itself."
        }
        ProxyKind::Traefik => {
            "A websocket or download that is running when a session ends goes on until it ends by itself. The app sees Latchkey’s cookie of this app, because Traefik cannot remove one."
        }
        ProxyKind::Envoy => {
            "A websocket or event stream that is running when a session ends goes on for up to 5 minutes, a download until it ends by itself."
        }
    }
}

impl From<&ProxyConfigRefusal> for Phrase {
    fn from(why: &ProxyConfigRefusal) -> Self {
        match why {
            ProxyConfigRefusal::NoApps => {
                Self::new("no-apps", "Name an app: no app is in forward-auth mode.")
            }
            ProxyConfigRefusal::MixedPort(port) => Self::with(
                "mixed-port",
                format!("Port {port} is used with http:// and with https://. Change the address of one app."),
            ),
            ProxyConfigRefusal::Latchkey => {
                Self::new("invalid-listener", "Enter a host and a port, such as 127.0.0.1:8081.")
            }
            ProxyConfigRefusal::Path(_) => Self::new(
                "invalid-path",
                "Enter a path that begins with / and consists of a to z, A to Z, digits and ./_-+@. In the path of a certificate or key, {host} stands for the host of the app.",
            ),
        }
    }
}
