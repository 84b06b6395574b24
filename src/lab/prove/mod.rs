//! Proves on the operator's own machine and database server that a revoked session is refused on every instance: starts
//! instances of this program on a database of their own, keeps them under load, and revokes sessions one by one.

mod database;
mod error;
mod http;
mod instance;
mod load;
mod queries;
mod report;
mod sandbox;
mod streams;
mod users;

use std::rc::Rc;

use crate::config::Settings;

use instance::Instance;
use load::Load;
use sandbox::Sandbox;

pub use error::ProveError;
pub use report::{Failing, Percentiles, RevocationReport};
pub use streams::{Extent, RacedOpenings, StreamFailing, StreamKind, StreamReport, revoke_with_streams};
pub use users::ProbeUsers;

/// Runs `instances` instances and revokes sessions for so many seconds. Everything it created is removed when the
/// future is dropped. Existing data is not touched.
///
/// # Errors
/// [`ProveError`] if the sandbox, an instance or an account could not be created, or an instance answered wrongly.
pub async fn revocation(
    settings: &Settings,
    instances: u16,
    seconds: u64,
) -> Result<RevocationReport, ProveError> {
    let sandbox = Sandbox::create(settings)?;
    let started = start(&sandbox, instances).await?;
    let users = ProbeUsers::new(settings, &sandbox.url, &sandbox.secret)?;
    Rc::new(Load::new(ports_of(&started), users.bystander().await?)).run(users, seconds).await
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
    let sandbox = Sandbox::create(settings)?;
    let started = start(&sandbox, instances).await?;
    let users = ProbeUsers::new(settings, &sandbox.url, &sandbox.secret)?;
    revoke_with_streams(ports_of(&started), &users, Extent::Seconds(seconds)).await
}

async fn start(sandbox: &Sandbox, instances: u16) -> Result<Vec<Instance>, ProveError> {
    let started: Result<Vec<Instance>, _> =
        (1..=instances).map(|number| Instance::start(sandbox, number)).collect();
    let mut started = started?;
    for instance in &mut started {
        instance.wait_until_ready().await?;
    }
    Ok(started)
}

fn ports_of(instances: &[Instance]) -> Vec<u16> {
    instances.iter().map(|instance| instance.port).collect()
}
