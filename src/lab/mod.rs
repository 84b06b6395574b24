//! The lab of `/compare`: one throw-away subject, known by a real session and by a real pair of JSON Web Tokens, and
//! the steps that tell the two apart. The page calls it; nothing here opens a door of the product: its sessions are
//! rows of another [kind](latchkey_sessions::Owner::KIND), and its tokens are asked for at its own two doors only.

mod cost;
mod exhibit;
mod gate;
mod measure;
mod memory;
mod queries;
mod run;
mod steps;
mod stopwatch;
mod subject;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::db::{Db, Fault};
use crate::secret::{CookieSigner, Secret, Token, TokenHash};
use latchkey_sessions::{Key, Login, Policy, SessionTx, Store};

use measure::Results;
use memory::Memory;

pub use cost::{Check, Cost, Deed, Writes};
pub use exhibit::{Exhibit, SessionRow, TokenRow};
pub use gate::{Finding, Holder, Line, Verdict};
pub use measure::Asked;
pub use run::{DenyList, Entry, Held, Run, Service};
pub use steps::{Step, Taken};
pub use stopwatch::{Spread, Stopwatch};
pub use subject::{Role, Subject};
pub use tokens::{ACCESS_LIFE, REFRESH_LIFE};

/// Long enough to try every step twice; then subject, sessions and tokens are deleted.
pub const LIFE: Duration = Duration::from_secs(30 * 60);

/// Runs at a time. Each is three small rows; this many are a busy classroom, and no way to fill a disk.
const MOST: i64 = 500;

/// … from one network: a classroom behind one address.
const MOST_FROM_ONE_NETWORK: i64 = 40;

/// Steps in one run: all of them, many times over.
const MOST_STEPS: i32 = 300;

/// Everything the lab needs. Cloning shares it.
#[derive(Clone)]
pub struct Lab {
    db: Db,
    secret: Secret,
    /// Without a keeper: each check reads the row, so that what it costs is seen. Memory is measured apart.
    sessions: Store<Subject>,
    memory: Arc<Memory>,
    /// The cookie is signed as the product's is.
    signer: Arc<CookieSigner>,
    /// What was measured last.
    results: Arc<Results>,
}

/// Why no run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    Everywhere,
    /// From this network.
    Here,
}

/// A run that has just begun: what its browser is to hold.
pub struct Begun {
    pub key: Token,
    pub held: Held,
}

impl Lab {
    pub fn new(db: Db, secret: Secret) -> Self {
        let sessions = Store::builder(db.clone()).owner().policy(Self::policy(0)).uncached().build();
        let signer = Arc::new(CookieSigner::new(&secret));
        Self { signer, db, secret, sessions, memory: Arc::default(), results: Arc::default() }
    }

    /// The product's own clocks, with room for `cached` sessions in memory.
    fn policy(cached: usize) -> Policy {
        Policy { cached, ..Policy::default() }
    }

    /// Makes a subject and logs it in on both sides. `network` is whoever asks, as throttles count them;
    /// `before` is a run of theirs that this one takes the place of.
    ///
    /// # Errors
    /// Any [`Fault`] of the database; [`Full`] when too many runs are open.
    pub async fn begin(
        &self,
        network: String,
        login: Visit,
        before: Option<Uuid>,
    ) -> Result<Result<Begun, Full>, Fault> {
        let key = Token::generate()?;
        let hash = key.hash();
        let lab = self.clone();
        let begun = self
            .sessions
            .write(move |change| {
                queries::tidy(change)?;
                if let Some(full) = queries::full(change, &network)? {
                    return Ok(Err(full));
                }
                if let Some(before) = before {
                    queries::close(change, before)?;
                }
                let run = queries::insert(change, &hash, &network)?;
                let held = lab.log_in(change, &run, &login)?;
                queries::note(change, &run, steps::began(&run))?;
                Ok(Ok(held))
            })
            .await?;
        Ok(begun.map(|held| Begun { key, held }))
    }

    /// The run that a browser names, while it lasts.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn find(&self, raw: &str) -> Result<Option<Run>, Fault> {
        let Some(hash) = Token::hash_of(raw) else { return Ok(None) };
        self.db.read(move |conn| queries::find(conn, &hash)).await
    }

    /// Ends a run before its time.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn end(&self, run: &Run) -> Result<(), Fault> {
        self.memory.forget(run.id);
        let id = run.id;
        self.db.write(move |conn| queries::close(conn, id)).await
    }

    /// Deletes what has ended; answers how many runs that were.
    ///
    /// # Errors
    /// Any [`Fault`] of the database.
    pub async fn tidy(&self) -> Result<usize, Fault> {
        self.memory.forget_old();
        self.db.write(queries::tidy).await
    }

    /// The key in a cookie that we have signed.
    fn key_in(&self, cookie: &str) -> Option<Key> {
        self.signer.open(cookie).and_then(|opened| Key::parse(opened.value))
    }

    fn log_in(&self, change: &mut SessionTx<'_>, run: &Run, visit: &Visit) -> Result<Held, Fault> {
        let (key, _) = self.sessions.open(change, &visit.login(run, "lab"))?;
        let (access, refresh) = self.issue(change, run, Uuid::new_v4())?;
        Ok(Held {
            session: Some(self.signer.sign(key.reveal())),
            access: Some(access),
            refresh: Some(refresh),
        })
    }
}

/// Who logs in, as a session's row keeps it.
#[derive(Clone, Default)]
pub struct Visit {
    pub address: String,
    pub user_agent: String,
}

impl Visit {
    fn login(&self, run: &Run, factor: &str) -> Login {
        Login {
            principal: run.principal(),
            remember: false,
            factor: factor.into(),
            address: self.address.clone(),
            user_agent: self.user_agent.clone(),
            device: None,
        }
    }
}

/// What names a run in the table.
type RunHash = TokenHash;
