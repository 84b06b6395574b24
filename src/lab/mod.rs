//! The lab behind `/compare`: one throw-away subject, known by a real session and by a real pair of JSON Web Tokens,
//! and the steps that show how the two differ. It returns codes and numbers; the pages in `web` word them.
//!
//! The lab never grants access to the product: its sessions are rows of another
//! [kind](latchkey_sessions::Owner::KIND), and its tokens are accepted by its own two checks only.

mod check;
pub mod jwt;
mod measurements;
mod memory_deny_list;
mod outcome;
pub mod prove;
mod queries;
mod run;
mod snapshot;
mod steps;
mod subject;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::db::{Db, Failed, Fault, refuse};
use crate::secret::{CookieSigner, Secret, Token, TokenHash};
use latchkey_sessions::{Key, NewSession, Policy, SessionTx, Store};

use measurements::Results;
use memory_deny_list::MemoryDenyList;

pub use check::{Comparison, Holder, Reason, SourceLine, Verdict};
pub use measurements::{
    CheckCost, CheckKind, Cost, MeasurementStatus, Operation, OperationCost, RowWrites, Spread, Stopwatch,
};
pub use outcome::{HistoryEntry, LoggedStep, Outcome, RefreshRefusal};
pub use run::{CredentialSet, Credentials, DenyList, Run, Service};
pub use snapshot::{SessionRow, Snapshot, TokenRow};
pub use steps::{Step, StepResult};
pub use subject::{Subject, SubjectRole};
pub use tokens::{ACCESS_TOKEN_LIFE, REFRESH_TOKEN_LIFE};

/// Long enough to try every step twice; then subject, sessions and tokens are deleted.
pub const RUN_LIFE: Duration = Duration::from_secs(30 * 60);

/// Runs at a time. Each is three small rows: enough for a busy classroom, too few to fill a disk.
const MAX_RUNS: i64 = 500;

/// Runs at a time from one network: a classroom behind one IP address.
const MAX_RUNS_PER_NETWORK: i64 = 40;

/// Steps in one run: all of them, many times over.
const MAX_STEPS: i32 = 300;

/// The lab of this instance. Cloning shares it.
#[derive(Clone)]
pub struct Lab {
    db: Db,
    secret: Secret,
    /// Without a cache: each check reads the row, so that its cost is visible. The cache is measured separately.
    sessions: Store<Subject>,
    memory_deny_list: Arc<MemoryDenyList>,
    /// Signs session cookies as the product signs its own.
    signer: Arc<CookieSigner>,
    results: Arc<Results>,
}

/// Why no run can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunLimit {
    Total,
    Network,
}

impl RunLimit {
    /// Stable, for tests and `data-` attributes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Network => "network",
        }
    }
}

/// A run that was just opened: what its browser receives.
pub struct NewRun {
    pub key: Token,
    pub credentials: CredentialSet,
}

impl Lab {
    pub fn new(db: Db, secret: Secret) -> Self {
        let sessions = Store::builder(db.clone()).owner().policy(Self::policy(0)).uncached().build();
        let signer = Arc::new(CookieSigner::new(&secret));
        Self { signer, db, secret, sessions, memory_deny_list: Arc::default(), results: Arc::default() }
    }

    /// The product's own session limits, with a cache for `cached` sessions.
    fn policy(cached: usize) -> Policy {
        Policy { cached, ..Policy::default() }
    }

    /// Makes a subject and logs it in on both sides. `network` is the visitor's, as throttles count them; `previous`
    /// is the visitor's run that this one replaces.
    ///
    /// # Errors
    /// Refuses with [`RunLimit`] if too many runs are open; any [`Fault`] of the database.
    pub async fn begin(
        &self,
        network: String,
        client: ClientInfo,
        previous: Option<Uuid>,
    ) -> Result<NewRun, Failed<RunLimit>> {
        let key = Token::generate().map_err(Fault::from)?;
        let hash = key.hash();
        let lab = self.clone();
        let credentials = self
            .sessions
            .write_or_refuse(move |change| {
                queries::delete_expired(change)?;
                if let Some(limit) = queries::reached_limit(change, &network)? {
                    return refuse(limit);
                }
                if let Some(previous) = previous {
                    queries::close(change, previous)?;
                }
                let run = queries::insert(change, &hash, &network)?;
                let credentials = lab.log_in(change, &run, &client)?;
                queries::append_to_history(change, &run, Outcome::Opened)?;
                Ok(credentials)
            })
            .await?;
        Ok(NewRun { key, credentials })
    }

    /// The run with this key, unless it is over.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn find(&self, key: &str) -> Result<Option<Run>, Fault> {
        let Some(hash) = Token::hash_of(key) else { return Ok(None) };
        self.db.read(move |conn| queries::find(conn, &hash)).await
    }

    /// Ends a run early.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn end(&self, run: &Run) -> Result<(), Fault> {
        self.memory_deny_list.clear(run.id);
        let id = run.id;
        self.db.write(move |conn| queries::close(conn, id)).await
    }

    /// Deletes the runs that are over, and returns how many.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn delete_expired(&self) -> Result<usize, Fault> {
        self.memory_deny_list.delete_expired();
        self.db.write(queries::delete_expired).await
    }

    /// Deletes every run, and returns how many there were: for an instance on which the lab is switched off, so that
    /// no IP address stays behind.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn delete_all(db: &Db) -> Result<usize, Fault> {
        db.write(queries::delete_all).await
    }

    /// The key in a cookie that carries our signature.
    fn verified_key(&self, cookie: &str) -> Option<Key> {
        self.signer.open(cookie).and_then(|opened| Key::parse(opened.value))
    }

    fn log_in(
        &self,
        change: &mut SessionTx<'_>,
        run: &Run,
        client: &ClientInfo,
    ) -> Result<CredentialSet, Fault> {
        let (key, _) = self.sessions.open(change, &client.login(run, "lab"))?;
        let (access, refresh) = self.issue(change, run, Uuid::new_v4())?;
        Ok(CredentialSet {
            session: Some(self.signer.sign(key.reveal())),
            access: Some(access),
            refresh: Some(refresh),
        })
    }
}

/// The client that logs in, as a session row stores it.
#[derive(Clone, Default)]
pub struct ClientInfo {
    pub address: String,
    pub user_agent: String,
}

impl ClientInfo {
    fn login(&self, run: &Run, factor: &str) -> NewSession {
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

/// The hash of a run's key.
type RunHash = TokenHash;
