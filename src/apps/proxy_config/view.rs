//! The apps as the templates see them.

use super::options::{ProxyOptions, ProxyPaths};
use super::refusal::ProxyConfigRefusal;
use crate::apps::app::App;
use crate::apps::choices::UpstreamHost;
use crate::apps::origin::AppOrigin;
use crate::apps::upstream::Upstream;

/// Stands for the address of an app that Latchkey does not know.
fn unknown_upstream() -> Upstream {
    Upstream { tls: false, host: "127.0.0.1".to_owned(), port: 3000, ca: None }
}

/// Where Debian keeps the certificates that the system trusts.
const SYSTEM_CA: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The headers that the proxy passes on with its question, beside those that describe the request.
const ASKED: [&str; 13] = [
    "Accept",
    "Access-Control-Request-Method",
    "Authorization",
    "Content-Type",
    "Cookie",
    "Origin",
    "Sec-Fetch-Dest",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
    "Sec-WebSocket-Version",
    "Upgrade",
    "X-Latchkey-Doctor",
    "X-Requested-With",
];

/// With these a client can tell an app that its request is for another address, or comes from another client. The proxy
/// sets some others itself.
const REMOVED: [&str; 26] = [
    "Client-IP",
    "Forwarded",
    "HTTP2-Settings",
    "Proxy",
    "True-Client-IP",
    "X-Cluster-Client-IP",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Method",
    "X-Forwarded-Port",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Prefix",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Forwarded-Uri",
    "X-Forwarded-User",
    "X-HTTP-Host-Override",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Host",
    "X-Method-Override",
    "X-Original-Method",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Scheme",
];

pub struct ProxyView<'a> {
    /// The command that writes the same text.
    pub command: &'a str,
    pub apps: &'a [GuardedApp<'a>],
    pub sites: Vec<GuardedSite<'a>>,
    pub ports: Vec<ListeningPort>,
    /// Whether requests to port 80 are sent to port 443.
    pub redirects: bool,
    pub any_https: bool,
    pub any_ca: bool,
    pub has_certificate: bool,
    pub asked_headers: Vec<HeaderSpelling>,
    pub removed: Vec<HeaderSpelling>,
    /// Host and port of the decision listener.
    pub latchkey: String,
    pub latchkey_host: String,
    pub latchkey_port: u16,
    pub directory: &'a str,
}

pub struct GuardedApp<'a> {
    pub slug: &'a str,
    /// The slug as a part of a variable's name.
    pub id: String,
    pub scheme: &'static str,
    /// Host and port of the app, always with the port.
    pub server: String,
    pub host: String,
    pub port: u16,
    /// As in a `Host` header.
    pub authority: String,
    pub tls: bool,
    /// The certificates to trust, in PEM.
    pub ca: Option<&'a str>,
    pub has_ca: bool,
    pub ca_file: String,
    pub keeps_host: bool,
    /// The longest body in bytes; 0: no limit.
    pub max_body: u64,
    pub has_max_body: bool,
    pub identity: [HeaderSpelling; 4],
    origins: &'a [AppOrigin],
    /// Whether the address is a placeholder.
    pub is_unknown: bool,
}

/// A header, as proxies write its name.
pub struct HeaderSpelling {
    /// Which of the identity headers it is.
    pub kind: &'static str,
    pub name: String,
    pub lower: String,
    pub variable: String,
}

/// An address of an app.
pub struct GuardedSite<'a> {
    pub app: &'a GuardedApp<'a>,
    pub origin: String,
    pub host: &'a str,
    pub port: u16,
    pub https: bool,
    /// Whether its port 80 leads to it.
    pub is_redirected: bool,
    pub certificate: String,
    pub key: String,
    /// Host and port as the client sees them.
    pub nginx_authority: String,
    /// The header `Host` for the app.
    pub nginx_host: String,
    pub caddy_host: String,
}

pub struct ListeningPort {
    pub number: u16,
    pub https: bool,
    /// The app of the port; `-` if there are several.
    pub slug: String,
    /// The identity headers of its apps, in lower case.
    pub identity: Vec<String>,
}

impl HeaderSpelling {
    fn new(kind: &'static str, name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        Self { kind, name: name.to_owned(), variable: lower.replace('-', "_"), lower }
    }
}

impl GuardedApp<'_> {
    pub fn is_on(&self, port: &u16) -> bool {
        self.origins.iter().any(|origin| port_of(origin) == *port)
    }
}

pub fn ca_name(slug: &str) -> String {
    format!("{slug}-ca.pem")
}

fn port_of(origin: &AppOrigin) -> u16 {
    origin.port().unwrap_or(if origin.is_https() { 443 } else { 80 })
}

pub fn apps<'a>(apps: &'a [App], paths: &ProxyPaths<'_>) -> Result<Vec<GuardedApp<'a>>, ProxyConfigRefusal> {
    if apps.is_empty() {
        return Err(ProxyConfigRefusal::NoApps);
    }
    let unknown = unknown_upstream();
    let view = |app: &'a App| {
        let upstream = app.upstream.as_ref().unwrap_or(&unknown);
        let host =
            if upstream.host.contains(':') { format!("[{}]", upstream.host) } else { upstream.host.clone() };
        let ca = app.upstream.as_ref().and_then(|upstream| upstream.ca.as_deref());
        let slug = app.slug.as_str();
        let names = &app.header_names;
        GuardedApp {
            slug,
            id: slug.replace('-', "_"),
            scheme: if upstream.tls { "https" } else { "http" },
            server: format!("{host}:{}", upstream.port),
            host: upstream.host.clone(),
            port: upstream.port,
            authority: upstream.authority(),
            tls: upstream.tls,
            ca,
            has_ca: ca.is_some(),
            ca_file: match ca {
                Some(_) => format!("{}/{}", paths.directory, ca_name(slug)),
                None => SYSTEM_CA.to_owned(),
            },
            keeps_host: app.upstream_host == UpstreamHost::Kept,
            max_body: app.limits.max_body.unwrap_or(0),
            has_max_body: app.limits.max_body.is_some(),
            identity: [
                HeaderSpelling::new("user", names.user.as_str()),
                HeaderSpelling::new("email", names.email.as_str()),
                HeaderSpelling::new("name", names.name.as_str()),
                HeaderSpelling::new("groups", names.groups.as_str()),
            ],
            origins: &app.origins,
            is_unknown: app.upstream.is_none(),
        }
    };
    Ok(apps.iter().map(view).collect())
}

impl<'a> ProxyView<'a> {
    pub fn new(
        apps: &'a [GuardedApp<'a>],
        options: &'a ProxyOptions,
        paths: &ProxyPaths<'a>,
    ) -> Result<Self, ProxyConfigRefusal> {
        let listener = options.listener()?;
        let sites: Vec<GuardedSite<'a>> = apps.iter().flat_map(|app| sites(app, paths)).collect();
        let ports = ports(&sites)?;
        let server =
            if listener.host.contains(':') { format!("[{}]", listener.host) } else { listener.host.clone() };
        let latchkey = format!("{server}:{}", listener.port);
        Ok(Self {
            command: &options.command,
            apps,
            // Unless an app is at port 80 itself.
            redirects: sites.iter().any(|site| site.is_redirected)
                && ports.iter().all(|port| port.number != 80),
            any_https: ports.iter().any(|port| port.https),
            any_ca: apps.iter().any(|app| app.has_ca),
            has_certificate: paths.has_certificate,
            asked_headers: ASKED.iter().map(|name| HeaderSpelling::new("", name)).collect(),
            removed: REMOVED.iter().map(|name| HeaderSpelling::new("", name)).collect(),
            latchkey_host: listener.host,
            latchkey_port: listener.port,
            latchkey,
            directory: paths.directory,
            sites,
            ports,
        })
    }
}

fn sites<'a>(app: &'a GuardedApp<'a>, paths: &ProxyPaths<'_>) -> Vec<GuardedSite<'a>> {
    let site = |origin: &'a AppOrigin| {
        let own_port = origin.port().map(|port| format!(":{port}")).unwrap_or_default();
        let nginx_authority = format!("$host{own_port}");
        GuardedSite {
            origin: origin.to_string(),
            host: origin.host(),
            port: port_of(origin),
            https: origin.is_https(),
            is_redirected: origin.is_https() && origin.port().is_none(),
            certificate: paths.certificate(origin.host()),
            key: paths.key(origin.host()),
            nginx_host: if app.keeps_host { nginx_authority.clone() } else { app.authority.clone() },
            nginx_authority,
            caddy_host: if app.keeps_host { "{vars.lk_host}".to_owned() } else { app.authority.clone() },
            app,
        }
    };
    app.origins.iter().map(site).collect()
}

/// The ports on which the proxy listens.
fn ports(sites: &[GuardedSite<'_>]) -> Result<Vec<ListeningPort>, ProxyConfigRefusal> {
    let mut ports: Vec<ListeningPort> = Vec::new();
    for site in sites {
        let known = ports.iter().position(|port| port.number == site.port);
        let at = known.unwrap_or(ports.len());
        if known.is_none() {
            let slug = site.app.slug.to_owned();
            ports.push(ListeningPort { number: site.port, https: site.https, slug, identity: Vec::new() });
        }
        let Some(port) = ports.get_mut(at) else { continue };
        if port.https != site.https {
            return Err(ProxyConfigRefusal::MixedPort(site.port));
        }
        if port.slug != site.app.slug {
            port.slug = "-".to_owned();
        }
        for header in &site.app.identity {
            if !port.identity.contains(&header.lower) {
                port.identity.push(header.lower.clone());
            }
        }
    }
    Ok(ports)
}
