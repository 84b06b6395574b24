//! The state that the operations on apps share.

use std::sync::Arc;
use std::time::Duration;

use crate::apps::ours::Portal;
use crate::apps::recent_refusals::RecentRefusals;
use crate::apps::snapshot::AppSnapshot;
use crate::apps::snapshots::Snapshots;
use crate::config::{Origin, RegistrationMode, Settings, UpstreamsFrom};
use crate::db::{Db, Fault};
use crate::identity::User;
use latchkey_sessions::Store;

/// How old a snapshot may be that is used only to route requests: the apps are read at most once a second, regardless
/// of how many requests arrive.
const RECENT: Duration = Duration::from_secs(1);

/// The apps behind Latchkey.
#[derive(Clone)]
pub struct Apps {
    pub(super) db: Db,
    pub(super) sessions: Store<User>,
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) refusals: Arc<RecentRefusals>,
    pub(super) portal: Arc<Portal>,
    pub(super) is_local: bool,
    pub(super) upstreams_from: UpstreamsFrom,
    pub(super) registration: RegistrationMode,
}

impl Apps {
    /// * `origin`: the portal's; in local mode, the origin of the running instance.
    pub(crate) fn new(sessions: &Store<User>, origin: &Origin, settings: &Settings) -> Self {
        let snapshots = Arc::new(Snapshots::default());
        sessions.observe(snapshots.clone());
        Self {
            db: sessions.db().clone(),
            sessions: sessions.clone(),
            snapshots,
            refusals: Arc::default(),
            portal: Arc::new(Portal::new(origin, settings.server.port)),
            is_local: settings.is_local(),
            upstreams_from: settings.apps.upstreams_from,
            registration: settings.registration,
        }
    }

    /// Whether an app is known to be at this `Host`, without asking the database. Says who may answer a probe, not who
    /// gets in. `None`: this instance has not read the apps yet.
    pub fn is_known_host(&self, host: &str) -> Option<bool> {
        self.snapshots.latest().map(|snapshot| snapshot.owner_of(host).is_some())
    }

    /// All apps: from memory while this instance has a lease, from the database otherwise.
    ///
    /// # Errors
    /// A fault if the database is needed and does not answer. The caller must then refuse the request, even if an open
    /// rule would let it in.
    pub async fn snapshot(&self) -> Result<Arc<AppSnapshot>, Fault> {
        self.snapshots.load(&self.db, &self.sessions, Duration::ZERO).await
    }

    /// All apps as they were within the last second: for an instance without a lease that only has to know which host
    /// is an app's. It must not decide about access by this.
    ///
    /// # Errors
    /// As [`Apps::snapshot`].
    pub async fn recent_snapshot(&self) -> Result<Arc<AppSnapshot>, Fault> {
        self.snapshots.load(&self.db, &self.sessions, RECENT).await
    }
}
