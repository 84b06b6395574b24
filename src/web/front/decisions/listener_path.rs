//! The paths of the decision listener.

use super::flavour::Flavour;

/// What a request to the listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerPath<'p> {
    /// `/decide/{flavour}/{slug}`; the slug `-` leaves the app to the host.
    Decide {
        flavour: Flavour,
        slug: Option<&'p str>,
        /// Envoy appends the path of the request.
        rest: &'p str,
    },
    /// `/app/{slug}/…`: what browsers request below `/.latchkey/` on an origin of the app.
    App { slug: &'p str, tail: &'p str },
    /// `/refusal/{status}`: the body of a refusal, for nginx, which discards that of a decision.
    Refusal(RefusalStatus),
}

/// The statuses of refusals that nginx asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalStatus {
    LogIn,
    Forbidden,
    Unavailable,
}

impl<'p> ListenerPath<'p> {
    /// * `path`: as it was sent, without the query.
    pub fn of(path: &'p str) -> Option<Self> {
        let (kind, below) = path.strip_prefix('/')?.split_once('/')?;
        match kind {
            "decide" => {
                let (flavour, below) = below.split_once('/')?;
                let flavour = Flavour::parse(flavour)?;
                let (slug, rest) = below.split_at(below.find('/').unwrap_or(below.len()));
                let is_complete = rest.is_empty() != (flavour == Flavour::Envoy);
                (is_complete && !slug.is_empty()).then_some(Self::Decide {
                    flavour,
                    slug: (slug != "-").then_some(slug),
                    rest,
                })
            }
            "app" => below.split_once('/').map(|(slug, tail)| Self::App { slug, tail }),
            "refusal" => Some(Self::Refusal(match below {
                "401" => RefusalStatus::LogIn,
                "403" => RefusalStatus::Forbidden,
                "503" => RefusalStatus::Unavailable,
                _ => return None,
            })),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_the_proxy_and_the_app() {
        let decide = |flavour, slug, rest| Some(ListenerPath::Decide { flavour, slug, rest });
        for (path, is) in [
            ("/decide/nginx/wiki", decide(Flavour::Nginx, Some("wiki"), "")),
            ("/decide/forward/-", decide(Flavour::Forward, None, "")),
            ("/decide/haproxy/wiki", decide(Flavour::Haproxy, Some("wiki"), "")),
            ("/decide/envoy/wiki/", decide(Flavour::Envoy, Some("wiki"), "/")),
            ("/decide/envoy/-//a/../b", decide(Flavour::Envoy, None, "//a/../b")),
            ("/app/wiki/in", Some(ListenerPath::App { slug: "wiki", tail: "in" })),
            ("/app/wiki/../in", Some(ListenerPath::App { slug: "wiki", tail: "../in" })),
            ("/refusal/403", Some(ListenerPath::Refusal(RefusalStatus::Forbidden))),
        ] {
            assert_eq!(ListenerPath::of(path), is, "{path}");
        }
        for other in [
            "/",
            "",
            "/decide",
            "/decide/nginx",
            "/decide/nginx/",
            "/decide/nginx/wiki/",
            "/decide/caddy/wiki",
            "/decide/envoy/wiki",
            "/decide//wiki",
            "//decide/nginx/wiki",
            "/app/wiki",
            "/refusal/404",
            "/refusal/403/",
            "/healthz",
            "/login",
        ] {
            assert_eq!(ListenerPath::of(other), None, "{other}");
        }
    }
}
