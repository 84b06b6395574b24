//! Proves on the operator's own machine and database server that a revoked session or access token is refused on every
//! instance: starts instances of this program on a database of their own, keeps them under load, and revokes one after the
//! other.

mod credential;
mod database;
mod error;
mod http;
mod instance;
mod load;
mod queries;
mod report;
mod sandbox;
mod streams;
mod token_target;
mod users;

use std::rc::Rc;

use crate::config::Settings;

use instance::Instance;
use load::Load;
use sandbox::Sandbox;
use streams::ProbeApp;

pub use credential::CredentialKind;
pub use error::ProveError;
pub use report::{Failing, Percentiles, RevocationReport};
pub use streams::{Extent, RacedOpenings, StreamFailing, StreamKind, StreamReport, revoke_with_streams};
pub use users::ProbeUsers;

/// Runs `instances` instances and revokes sessions for this many seconds. Dropping the future removes everything that
/// was created. Existing data is not touched.
///
/// # Errors
/// [`ProveError`] if the sandbox, an instance or an account could not be created, or an instance answered wrongly.
pub async fn revocation(
    settings: &Settings,
    instances: u16,
    seconds: u64,
) -> Result<RevocationReport, ProveError> {
    let running = Running::start(settings, instances).await?;
    prove(CredentialKind::Sessions, &running, running.users(settings)?, seconds).await
}

/// The same for access tokens, with which programs use the API and an app behind the instances.
///
/// # Errors
/// As [`revocation`].
pub async fn token_revocation(
    settings: &Settings,
    instances: u16,
    seconds: u64,
) -> Result<RevocationReport, ProveError> {
    let running = Running::start(settings, instances).await?;
    let users = running.users(settings)?;
    let app = ProbeApp::start().await?;
    users.register(app.registration()?).await?;
    prove(CredentialKind::Tokens, &running, users, seconds).await
}

async fn prove(
    kind: CredentialKind,
    running: &Running,
    users: ProbeUsers,
    seconds: u64,
) -> Result<RevocationReport, ProveError> {
    let bystander = kind.bystander(&users).await?;
    Rc::new(Load::new(kind, running.ports(), bystander)).run(users, seconds).await
}

/// The same, with an app behind the instances: each revoked session has event streams, stalled downloads and websockets
/// at every instance.
///
/// # Errors
/// As [`revocation`].
pub async fn stream_revocation(
    settings: &Settings,
    instances: u16,
    seconds: u64,
) -> Result<StreamReport, ProveError> {
    let running = Running::start(settings, instances).await?;
    let users = running.users(settings)?;
    revoke_with_streams(running.ports(), &users, Extent::Seconds(seconds)).await
}

/// Instances that are ready, and their database. Dropping this removes the instances, then the database.
struct Running {
    instances: Vec<Instance>,
    sandbox: Sandbox,
}

impl Running {
    async fn start(settings: &Settings, instances: u16) -> Result<Self, ProveError> {
        let sandbox = Sandbox::create(settings)?;
        let started: Result<Vec<Instance>, _> =
            (1..=instances).map(|number| Instance::start(&sandbox, number)).collect();
        let mut instances = started?;
        for instance in &mut instances {
            instance.wait_until_ready().await?;
        }
        Ok(Self { instances, sandbox })
    }

    fn users(&self, settings: &Settings) -> Result<ProbeUsers, ProveError> {
        ProbeUsers::new(settings, &self.sandbox.url, &self.sandbox.secret)
    }

    fn ports(&self) -> Vec<u16> {
        self.instances.iter().map(|instance| instance.port).collect()
    }
}
