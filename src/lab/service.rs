//! What the operations of the lab share.

use std::sync::Arc;

use super::measurements::MeasurementResults;
use super::memory_deny_list::MemoryDenyList;
use super::model::Subject;
use super::run::Run;
use crate::db::Db;
use crate::secret::{CookieSigner, Secret};
use latchkey_sessions::{Key, NewSession, Policy, Store};

/// The lab of this instance. Cloning shares it.
#[derive(Clone)]
pub struct Lab {
    pub(super) db: Db,
    pub(super) secret: Secret,
    /// Without a cache: each check reads the row, so that its cost is visible. The cache is measured separately.
    pub(super) sessions: Store<Subject>,
    pub(super) memory_deny_list: Arc<MemoryDenyList>,
    /// Signs session cookies as the product signs its own.
    pub(super) signer: Arc<CookieSigner>,
    pub(super) results: Arc<MeasurementResults>,
}

impl Lab {
    pub fn new(db: Db, secret: Secret) -> Self {
        let sessions = Store::builder(db.clone()).owner().policy(Self::policy(0)).uncached().build();
        let signer = Arc::new(CookieSigner::new(&secret));
        Self { signer, db, secret, sessions, memory_deny_list: Arc::default(), results: Arc::default() }
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
