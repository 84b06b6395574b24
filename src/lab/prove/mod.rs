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
mod users;

use std::rc::Rc;

use crate::config::Settings;

use instance::Instance;
use load::Load;
use sandbox::Sandbox;
use users::ProbeUsers;

pub use error::ProveError;
pub use report::{Failing, Percentiles, RevocationReport};

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
    let mut started = Vec::new();
    for number in 1..=instances {
        started.push(Instance::start(&sandbox, number)?);
    }
    for instance in &mut started {
        instance.wait_until_ready().await?;
    }
    let users = ProbeUsers::new(settings, &sandbox)?;
    let ports = started.iter().map(|instance| instance.port).collect();
    Rc::new(Load::new(ports, users.bystander().await?)).run(users, seconds).await
}
