//! What the operations of the lab share.

use std::sync::Arc;

use super::measurements::MeasurementResults;
use super::memory_deny_list::MemoryDenyList;
use super::model::Subject;
use super::run::Run;
use super::streams::LabStreams;
use crate::db::Db;
use crate::identity::User;
use crate::secret::{CookieSigner, Secret};
use latchkey_sessions::{Key, NewSession, Policy, Store};

/// The lab of this instance. Cloning shares it.
#[derive(Clone)]
pub struct Lab {
    pub(super) db: Db,
    pub(super) secret: Secret,
    /// Without a cache: each check reads the row, so that its cost is visible. The cache is measured separately.
    pub(super) sessions: Store<Subject>,
    /// The store of the product, whose listener hears of changes of the lab's sessions, too: they are written with it,
    /// so that a step is answered when every instance has marked its live connections.
    pub(super) product: Store<User>,
    pub(super) streams: Arc<LabStreams>,
    pub(super) memory_deny_list: Arc<MemoryDenyList>,
    /// Signs session cookies as the product signs its own.
    pub(super) signer: Arc<CookieSigner>,
    pub(super) results: Arc<MeasurementResults>,
}

impl Lab {
    pub fn new(product: &Store<User>, secret: Secret) -> Self {
        let db = product.db().clone();
        let sessions = Store::builder(db.clone()).owner().policy(Self::policy(0)).uncached().build();
        let signer = Arc::new(CookieSigner::new(&secret));
        Self {
            signer,
            db,
            secret,
            sessions,
            product: product.clone(),
            streams: Arc::default(),
            memory_deny_list: Arc::default(),
            results: Arc::default(),
        }
    }

    /// Ends live connections with their sessions. Call it once, before the first is opened.
    pub fn observe_changes(&self) {
        let streams = Arc::clone(&self.streams);
        self.product.observe(streams);
    }

    /// The live connections of this instance.
    pub fn streams(&self) -> &LabStreams {
        &self.streams
    }

    /// The product's own session limits, with a cache for `cached` sessions.
    pub(super) fn policy(cached: usize) -> Policy {
        Policy { cached, ..Policy::default() }
    }

    /// The key in a cookie that carries our signature.
    pub(super) fn verified_key(&self, cookie: &str) -> Option<Key> {
        self.signer.open(cookie).and_then(|opened| Key::parse(opened.value))
    }
}

/// The client that logs in, as a session row stores it.
#[derive(Clone, Default)]
pub struct ClientInfo {
    pub address: String,
    pub user_agent: String,
}

impl ClientInfo {
    pub(super) fn login(&self, run: &Run, factor: &str) -> NewSession {
        NewSession {
            principal: run.principal(),
            remember: false,
            factor: factor.into(),
            address: self.address.clone(),
            user_agent: self.user_agent.clone(),
            device: None,
        }
    }
}
