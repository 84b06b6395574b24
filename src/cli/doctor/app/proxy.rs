//! Which proxy asks Latchkey for decisions, and whether its version can be configured to be safe.

use std::fmt;
use std::str::FromStr;

use super::asking::KnownApp;
use crate::apps::ProxyKind;
use crate::cli::doctor::finding::{Finding, note, ok, problem};
use crate::web::ops::app_question::DecisionFacts;

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

/// The proxy that asked for a decision. Caddy and Traefik ask in the same way, but Traefik adds a header.
fn of_decision(facts: &DecisionFacts) -> Option<ProxyKind> {
    match facts.flavour.as_str() {
        "nginx" => Some(ProxyKind::Nginx),
        "haproxy" => Some(ProxyKind::Haproxy),
        "envoy" => Some(ProxyKind::Envoy),
        "forward" if facts.is_traefiks => Some(ProxyKind::Traefik),
        "forward" => Some(ProxyKind::Caddy),
        _ => None,
    }
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

/// The proxy in front: as the operator says, otherwise as the decision and the `Server` header say. Of the five, only
/// nginx sends its version, unless `server_tokens` is off.
pub fn detect(
    named: Option<NamedProxy>,
    decision: Option<&DecisionFacts>,
    server: Option<&str>,
) -> Option<NamedProxy> {
    let server = server.unwrap_or_default().to_ascii_lowercase();
    let of_server = ProxyKind::parse(server.split(['/', ' ']).next().unwrap_or_default());
    let kind = named.map(|named| named.kind).or_else(|| decision.and_then(of_decision)).or(of_server)?;
    let said = named.and_then(|named| named.version);
    let version = said.or_else(|| ProxyVersion::find(&server).filter(|_| of_server == Some(kind)));
    Some(NamedProxy { kind, version })
}

pub fn version(app: &KnownApp) -> Finding {
    let check = "app.proxy";
    let Some(NamedProxy { kind, version }) = app.proxy else {
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
        let of = |flavour: &str, is_traefiks| DecisionFacts {
            flavour: flavour.into(),
            has_query: false,
            has_unlisted: false,
            is_traefiks,
        };
        let seen = |named: Option<&str>, facts: Option<DecisionFacts>, server: Option<&str>| {
            let named = named.map(|named| named.parse().unwrap());
            detect(named, facts.as_ref(), server)
                .map(|seen| (seen.kind, seen.version.map(|version| version.0)))
        };
        use ProxyKind::{Caddy, Envoy, Nginx, Traefik};
        assert_eq!(
            seen(None, Some(of("nginx", false)), Some("nginx/1.22.1")),
            Some((Nginx, Some([1, 22, 1])))
        );
        // A proxy in front of the proxy.
        assert_eq!(seen(None, Some(of("envoy", false)), Some("nginx/1.22.1")), Some((Envoy, None)));
        assert_eq!(seen(None, Some(of("forward", true)), None), Some((Traefik, None)));
        assert_eq!(seen(None, Some(of("forward", false)), Some("Caddy")), Some((Caddy, None)));
        assert_eq!(
            seen(Some("traefik=3.7.1"), Some(of("forward", false)), None),
            Some((Traefik, Some([3, 7, 1])))
        );
        assert_eq!(seen(None, None, Some("Caddy")), Some((Caddy, None)));
        assert_eq!(seen(None, None, Some("Apache/2.4")), None);
        for wrong in ["apache", "caddy=", "caddy=new", ""] {
            assert!(wrong.parse::<NamedProxy>().is_err(), "{wrong}");
        }
    }
}
