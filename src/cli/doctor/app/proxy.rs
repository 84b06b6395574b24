//! Which proxy asks Latchkey for decisions, and whether its version can be configured to be safe.

use std::fmt;
use std::str::FromStr;

use crate::apps::ProxyKind;
use crate::cli::doctor::finding::{Finding, note, ok, problem};
use crate::web::copy::proxy_config::proxy_name;

/// How the proxy answered the first question.
pub struct ProxyTraces<'a> {
    /// As the path of a decision names the proxy, if a request is decided at all.
    pub flavour: Option<&'a str>,
    /// Whether it adds `X-Forwarded-Server`.
    pub names_server: bool,
    /// The headers `Server` and `Via` of the response.
    pub server: &'a str,
    pub via: &'a str,
}

/// The proxy that left these traces. Caddy and Traefik ask in the same way.
fn of_traces(traces: &ProxyTraces<'_>) -> Option<ProxyKind> {
    match traces.flavour {
        Some("nginx") => Some(ProxyKind::Nginx),
        Some("haproxy") => Some(ProxyKind::Haproxy),
        Some("envoy") => Some(ProxyKind::Envoy),
        Some(_) | None if traces.names_server => Some(ProxyKind::Traefik),
        Some(_) | None if traces.via.ends_with(" Caddy") => Some(ProxyKind::Caddy),
        Some("forward") => Some(ProxyKind::Caddy),
        Some(_) | None => of_server(traces.server),
    }
}

fn of_server(server: &str) -> Option<ProxyKind> {
    ProxyKind::parse(&server.split(['/', ' ']).next().unwrap_or_default().to_ascii_lowercase())
}

/// The first version that can be made safe, and what is wrong with earlier ones.
fn safe_since(kind: ProxyKind) -> (ProxyVersion, &'static str) {
    match kind {
        ProxyKind::Nginx => (ProxyVersion([1, 5, 4]), "it has no `auth_request`"),
        ProxyKind::Caddy => (
            ProxyVersion([2, 11, 7]),
            "it passes other spellings of identity headers on, such as Remote_User",
        ),
        ProxyKind::Traefik => (
            ProxyVersion([3, 7, 13]),
            "it has no `aliasHeadersStrategy`, so it passes other spellings of identity headers on, such as Remote_User",
        ),
        ProxyKind::Haproxy => (ProxyVersion([2, 5, 0]), "its Lua has no `core.httpclient()`"),
        ProxyKind::Envoy => (ProxyVersion([1, 19, 0]), "it has no `path_with_escaped_slashes_action`"),
    }
}

/// How to print the version.
fn version_command(kind: ProxyKind) -> &'static str {
    match kind {
        ProxyKind::Nginx => "nginx -v",
        ProxyKind::Caddy => "caddy version",
        ProxyKind::Traefik => "traefik version",
        ProxyKind::Haproxy => "haproxy -v",
        ProxyKind::Envoy => "envoy --version",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProxyVersion([u32; 3]);

impl ProxyVersion {
    /// The first number with dots in a text, such as `v2.11.7 h1:…` or `nginx/1.22.1`.
    pub fn find(text: &str) -> Option<Self> {
        let words = text.split(|sign: char| !sign.is_ascii_digit() && sign != '.');
        let dotted = words.map(|word| word.trim_matches('.')).find(|word| word.contains('.'))?;
        let mut numbers = dotted.split('.').map(str::parse);
        let mut next = || numbers.next().map_or(Some(0), Result::ok);
        Some(Self([next()?, next()?, next()?]))
    }
}

impl fmt::Display for ProxyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// The value of `--proxy`: a name, and the version if it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedProxy {
    pub kind: ProxyKind,
    pub version: Option<ProxyVersion>,
}

impl FromStr for NamedProxy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (name, version) = text.split_once('=').map_or((text, None), |(name, text)| (name, Some(text)));
        let kind = ProxyKind::parse(name)
            .ok_or("write nginx, caddy, traefik, haproxy or envoy, such as caddy=2.11.7")?;
        let version = match version {
            Some(text) => {
                Some(ProxyVersion::find(text).ok_or("write a version after the =, such as 2.11.7")?)
            }
            None => None,
        };
        Ok(Self { kind, version })
    }
}

/// The proxy in front: as the operator says, otherwise as its traces say. Of the five, only nginx sends its version,
/// unless `server_tokens` is off.
pub fn detect(named: Option<NamedProxy>, traces: &ProxyTraces<'_>) -> Option<NamedProxy> {
    let kind = named.map(|named| named.kind).or_else(|| of_traces(traces))?;
    let said = named.and_then(|named| named.version);
    let sent = || ProxyVersion::find(traces.server).filter(|_| of_server(traces.server) == Some(kind));
    Some(NamedProxy { kind, version: said.or_else(sent) })
}

pub fn version(proxy: Option<NamedProxy>) -> Finding {
    let check = "app.proxy";
    let Some(NamedProxy { kind, version }) = proxy else {
        return note(check, "it cannot be seen which proxy is in front", "name it with --proxy");
    };
    let (name, (least, why)) = (proxy_name(kind), safe_since(kind));
    match version {
        Some(version) if version < least => problem(
            check,
            format!("{name} {version} cannot be made safe: {why}"),
            format!("update {name} to {least} or later"),
        ),
        Some(version) => ok(check, format!("{name} {version}, which can be made safe")),
        None => note(
            check,
            format!("{name}; its version cannot be seen from here"),
            format!(
                "it must be {least} or later: `{}` prints it, and --proxy {}=VERSION compares it",
                version_command(kind),
                kind.as_str()
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_the_programs_print() {
        for (text, found) in [
            ("v2.11.7 h1:abc=", Some([2, 11, 7])),
            ("nginx/1.22.1", Some([1, 22, 1])),
            ("nginx version: nginx/1.31.0 (x)", Some([1, 31, 0])),
            ("HAProxy version 2.6.12-1+deb12u1 2023", Some([2, 6, 12])),
            ("2.5", Some([2, 5, 0])),
            ("Caddy", None),
            ("7", None),
            ("99999999999.1", None),
        ] {
            assert_eq!(ProxyVersion::find(text), found.map(ProxyVersion), "{text}");
        }
        assert!(
            ProxyVersion([2, 11, 7]) < ProxyVersion([2, 12, 0])
                && ProxyVersion([3, 7, 9]) < ProxyVersion([3, 7, 13])
        );
    }

    #[test]
    fn the_operator_knows_better_than_a_header() {
        use ProxyKind::{Caddy, Envoy, Nginx, Traefik};
        let seen = |named: Option<&str>, flavour, names_server, server, via| {
            let named = named.map(|named| named.parse().unwrap());
            let found = detect(named, &ProxyTraces { flavour, names_server, server, via })?;
            Some((found.kind, found.version.map(|version| version.0)))
        };
        assert_eq!(seen(None, Some("nginx"), false, "nginx/1.22.1", ""), Some((Nginx, Some([1, 22, 1]))));
        // A proxy in front of the proxy.
        assert_eq!(seen(None, Some("envoy"), false, "nginx/1.22.1", ""), Some((Envoy, None)));
        assert_eq!(seen(None, Some("forward"), true, "", ""), Some((Traefik, None)));
        assert_eq!(seen(None, Some("forward"), false, "", ""), Some((Caddy, None)));
        assert_eq!(
            seen(Some("traefik=3.7.1"), Some("forward"), false, "", "1.1 Caddy"),
            Some((Traefik, Some([3, 7, 1])))
        );
        // Nothing is decided.
        assert_eq!(seen(None, None, false, "", "1.1 Caddy"), Some((Caddy, None)));
        assert_eq!(seen(None, None, true, "", ""), Some((Traefik, None)));
        assert_eq!(seen(None, None, false, "envoy", ""), Some((Envoy, None)));
        assert_eq!(seen(None, None, false, "Apache/2.4", ""), None);
        for wrong in ["apache", "caddy=", "caddy=new", ""] {
            assert!(wrong.parse::<NamedProxy>().is_err(), "{wrong}");
        }
    }
}
