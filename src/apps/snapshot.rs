//! All apps as they were at one moment, found by host.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::apps::app::{App, host_name};
use crate::apps::ids::AppId;

/// All apps with their origins and rules. It never changes; a change of an app makes a new one.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// By slug.
    apps: Vec<Arc<App>>,
    by_host: HashMap<String, Arc<App>>,
}

impl Snapshot {
    pub fn new(apps: impl IntoIterator<Item = App>) -> Self {
        let mut apps: Vec<Arc<App>> = apps.into_iter().map(Arc::new).collect();
        apps.sort_by(|a, b| a.slug.cmp(&b.slug));
        let hosts = apps
            .iter()
            .flat_map(|app| app.origins.iter().map(|origin| (origin.host().to_owned(), Arc::clone(app))));
        Self { by_host: hosts.collect(), apps }
    }

    /// The app at a `Host` header, disabled or not. The port is ignored: browsers share cookies
    /// between all ports of a host, so there is only one app for each host.
    pub fn by_host(&self, host: &str) -> Option<&Arc<App>> {
        let name = host_name(host);
        let name = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(name.to_ascii_lowercase()),
            false => Cow::Borrowed(name),
        };
        self.by_host.get(name.as_ref())
    }

    pub fn by_slug(&self, slug: &str) -> Option<&Arc<App>> {
        let at = self.apps.binary_search_by(|app| app.slug.as_str().cmp(slug)).ok()?;
        self.apps.get(at)
    }

    pub fn by_id(&self, id: AppId) -> Option<&Arc<App>> {
        self.apps.iter().find(|app| app.id == id)
    }

    /// In the order of their slugs.
    pub fn apps(&self) -> &[Arc<App>] {
        &self.apps
    }

    /// Whether no app is registered, so that every host is the portal's.
    pub fn is_empty(&self) -> bool {
        self.apps.is_empty()
    }
}

impl App {
    /// The shortest time for which a rule accepts a proof of identity. A new proof for this app must be at least that
    /// recent.
    pub fn shortest_fresh(&self) -> Option<Duration> {
        self.rules.iter().filter_map(|rule| rule.fresh).min()
    }
}
