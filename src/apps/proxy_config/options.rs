//! What a configuration needs to know beside the apps.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::refusal::ProxyConfigRefusal;
use crate::apps::choices::ProxyKind;
use crate::apps::upstream::Upstream;
use crate::config::Settings;

/// Named if the settings have no decision listener.
const USUAL_PORT: u16 = 8081;

/// Stands for the host of an app in the path of a certificate.
const HOST: &str = "{host}";

/// Where certbot puts the certificate and the key of a host.
const CERTBOT: [&str; 2] =
    ["/etc/letsencrypt/live/{host}/fullchain.pem", "/etc/letsencrypt/live/{host}/privkey.pem"];

/// Where the parts are. What is left out has the proxy's usual place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyOptions {
    /// The address of the decision listener, `HOST:PORT`, as the proxy reaches it.
    pub latchkey: String,
    /// The path of a certificate, in which `{host}` stands for the host of an app.
    pub certificate: Option<String>,
    /// The same for its key.
    pub key: Option<String>,
    /// The directory in which the files will be.
    pub directory: Option<String>,
    /// The command that writes the same text.
    pub command: String,
}

pub struct ProxyPaths<'o> {
    certificate: &'o str,
    key: &'o str,
    pub directory: &'o str,
    /// Whether the proxy does not get certificates by itself.
    pub has_certificate: bool,
}

impl ProxyOptions {
    /// The address of the decision listener of an instance with these settings, as seen from the same machine.
    pub fn listener_of(settings: &Settings) -> String {
        let bind = settings.front.bind;
        let host = match bind {
            IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            _ => bind,
        };
        let port = settings.front.port.filter(|port| *port != 0).unwrap_or(USUAL_PORT);
        SocketAddr::new(host, port).to_string()
    }

    pub(super) fn paths(&self, kind: ProxyKind) -> Result<ProxyPaths<'_>, ProxyConfigRefusal> {
        for (path, field) in
            [(&self.certificate, "certificate"), (&self.key, "key"), (&self.directory, "directory")]
        {
            if given(path).is_some_and(|path| !is_path(&path.replace(HOST, ""))) {
                return Err(ProxyConfigRefusal::Path(field));
            }
        }
        let (directory, certificate) = match kind {
            ProxyKind::Nginx => ("/etc/nginx", CERTBOT[0]),
            ProxyKind::Caddy => ("/etc/caddy", CERTBOT[0]),
            ProxyKind::Traefik => ("/etc/traefik", CERTBOT[0]),
            // Certificate and key in one file.
            ProxyKind::Haproxy => ("/etc/haproxy", "/etc/haproxy/certs/{host}.pem"),
            ProxyKind::Envoy => ("/etc/envoy", CERTBOT[0]),
        };
        Ok(ProxyPaths {
            has_certificate: kind != ProxyKind::Caddy || given(&self.certificate).is_some(),
            certificate: given(&self.certificate).unwrap_or(certificate),
            key: given(&self.key).unwrap_or(CERTBOT[1]),
            directory: given(&self.directory).unwrap_or(directory).trim_end_matches('/'),
        })
    }

    /// The address of the decision listener.
    pub(super) fn listener(&self) -> Result<Upstream, ProxyConfigRefusal> {
        let url = format!("http://{}", self.latchkey.trim());
        let address = Upstream::parse(&url, None).map_err(|_| ProxyConfigRefusal::Latchkey)?;
        if self.latchkey.contains('/') { Err(ProxyConfigRefusal::Latchkey) } else { Ok(address) }
    }
}

impl ProxyPaths<'_> {
    pub(super) fn certificate(&self, host: &str) -> String {
        self.certificate.replace(HOST, host)
    }

    pub(super) fn key(&self, host: &str) -> String {
        self.key.replace(HOST, host)
    }
}

/// An empty path counts as left out.
fn given(path: &Option<String>) -> Option<&str> {
    path.as_deref().map(str::trim).filter(|path| !path.is_empty())
}

/// Whether every proxy reads the text as one path, without quotes.
fn is_path(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte);
    text.starts_with('/') && text.len() <= 1024 && text.bytes().all(is_plain)
}
