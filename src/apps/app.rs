//! An app: a web application that is reached through Latchkey.

use std::time::Duration;

use crate::apps::choices::{AppMode, AppSource, Explain, RemoteUser, UpstreamHost};
use crate::apps::header_names::IdentityHeaders;
use crate::apps::ids::{AppId, Slug};
use crate::apps::origin::AppOrigin;
use crate::apps::rule::{PathMatch, Rule};
use crate::apps::upstream::Upstream;
use crate::config::AppDefaults;

/// An app with its origins and rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    pub id: AppId,
    pub slug: Slug,
    pub name: String,
    pub enabled: bool,
    pub mode: AppMode,
    /// `None` only in forward-auth mode.
    pub upstream: Option<Upstream>,
    pub remote_user: RemoteUser,
    pub header_names: IdentityHeaders,
    /// Other sites whose pages may send requests to the app.
    pub also_from: Vec<AppOrigin>,
    /// The app's own cookies, which Latchkey deletes when another user opens the app in the same browser.
    pub app_cookies: Vec<String>,
    /// Whether the app ignores case in paths.
    pub ignore_case: bool,
    pub explain: Explain,
    pub limits: AppLimits,
    pub upstream_host: UpstreamHost,
    /// The code of the Close frame that ends a websocket when its user loses access.
    pub close_code: u16,
    pub source: AppSource,
    /// At least one. No other app has an origin on the same host.
    pub origins: Vec<AppOrigin>,
    pub rules: Vec<Rule>,
}

/// Bounds for requests to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppLimits {
    /// Bytes of a request body; `None`: unlimited.
    pub max_body: Option<u64>,
    /// Time to connect to the upstream.
    pub connect: Duration,
    /// Time until the upstream has sent the head of its response.
    pub head: Duration,
    /// Time without a byte of the body, in either direction.
    pub idle: Duration,
    /// Requests that may run at once.
    pub max_in_flight: u32,
}

impl Default for AppLimits {
    fn default() -> Self {
        Self {
            max_body: None,
            connect: AppDefaults::CONNECT,
            head: AppDefaults::HEAD,
            idle: AppDefaults::IDLE,
            max_in_flight: AppDefaults::MAX_IN_FLIGHT,
        }
    }
}

impl App {
    /// An app with default settings and no rules, which lets no one in.
    pub fn new(slug: Slug, upstream: Option<Upstream>, origins: Vec<AppOrigin>) -> Self {
        Self {
            id: AppId(uuid::Uuid::new_v4()),
            name: slug.to_string(),
            slug,
            enabled: true,
            mode: AppMode::default(),
            upstream,
            remote_user: RemoteUser::default(),
            header_names: IdentityHeaders::default(),
            also_from: Vec::new(),
            app_cookies: Vec::new(),
            ignore_case: false,
            explain: Explain::default(),
            limits: AppLimits::default(),
            upstream_host: UpstreamHost::default(),
            close_code: AppDefaults::CLOSE_CODE,
            source: AppSource::default(),
            origins,
            rules: Vec::new(),
        }
    }

    /// The origin that a request with this `Host` header is for.
    pub fn origin_at(&self, host: &str) -> Option<&AppOrigin> {
        let name = host_name(host);
        self.origins.iter().find(|origin| origin.host().eq_ignore_ascii_case(name))
    }

    /// Whether a page at `header`, the value of an `Origin` header, may send requests to the app.
    pub fn trusts(&self, header: &str) -> bool {
        self.origins.iter().chain(&self.also_from).any(|origin| origin.is(header))
    }

    /// Whether a rule depends on the path. If so, a path must have only one meaning.
    pub fn has_path_rules(&self) -> bool {
        self.rules.iter().any(|rule| rule.when.path != PathMatch::All)
    }
}

/// The name in a `Host` header, without the port.
pub fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
