//! All apps as they were at one moment, found by host.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::apps::app::{App, host_name};
use crate::apps::ids::AppId;
use crate::apps::stored::{StoredApps, UnreadableApp};

/// All apps with their origins and rules. It never changes; a change of an app makes a new one.
#[derive(Debug, Default)]
pub struct AppSnapshot {
    /// By slug.
    apps: Vec<Arc<App>>,
    by_host: HashMap<String, HostOwner>,
    /// Whether no app is registered, not even an unreadable one.
    is_empty: bool,
}

/// The app at a host, readable or not.
#[derive(Clone, Debug)]
pub enum HostOwner {
    App {
        app: Arc<App>,
        /// The position of the host's origin.
        origin: usize,
    },
    Unreadable(Arc<UnreadableApp>),
}

impl HostOwner {
    pub fn slug(&self) -> &str {
        match self {
            Self::App { app, .. } => app.slug.as_str(),
            Self::Unreadable(app) => &app.slug,
        }
    }
}

impl AppSnapshot {
    pub fn new(apps: impl IntoIterator<Item = App>) -> Self {
        Self::of(StoredApps { apps: apps.into_iter().collect(), unreadable: Vec::new() })
    }

    pub(super) fn of(stored: StoredApps) -> Self {
        let is_empty = stored.apps.is_empty() && stored.unreadable.is_empty();
        let mut apps: Vec<Arc<App>> = stored.apps.into_iter().map(Arc::new).collect();
        apps.sort_by(|a, b| a.slug.cmp(&b.slug));
        let mut by_host = HashMap::new();
        for app in &apps {
            for (at, origin) in app.origins.iter().enumerate() {
                let owner = HostOwner::App { app: Arc::clone(app), origin: at };
                by_host.insert(origin.host().to_owned(), owner);
            }
        }
        for app in stored.unreadable.into_iter().map(Arc::new) {
            for host in &app.hosts {
                by_host.insert(host.clone(), HostOwner::Unreadable(Arc::clone(&app)));
            }
        }
        Self { apps, by_host, is_empty }
    }

    /// The app at a `Host` header, disabled or not.
    pub fn by_host(&self, host: &str) -> Option<&Arc<App>> {
        match self.owner_of(host)? {
            HostOwner::App { app, .. } => Some(app),
            HostOwner::Unreadable(_) => None,
        }
    }

    /// The app at the host of a `Host` header, disabled or not, readable or not. The port is ignored: browsers share
    /// cookies between all ports of a host, so there is only one app for each host.
    pub fn owner_of(&self, host: &str) -> Option<&HostOwner> {
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

    /// In the order of their slugs. Apps that cannot be read are not among them.
    pub fn apps(&self) -> &[Arc<App>] {
        &self.apps
    }

    /// Whether no app is registered, so that every host is the portal's.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }
}

impl App {
    /// The shortest age limit that a rule sets for a proof of identity. A new proof for this app must be at least that
    /// recent.
    pub fn shortest_fresh(&self) -> Option<Duration> {
        self.rules.iter().filter_map(|rule| rule.fresh).min()
    }
}
