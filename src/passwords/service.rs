//! Chooses and hashes passwords under the policy of this instance.

use std::num::NonZero;

use crate::config::{Misconfigured, Origin, PasswordLimits, Settings};
use crate::db::{Fault, off_thread};
use crate::passwords::hasher::{Hasher, HasherBusy, HasherLoad, HashesRefused};
use crate::passwords::{
    HashCost, Password, PasswordHash, PasswordPolicy, Strength, WeakPassword, memory_budget, permits_for,
    strength,
};

/// The password policy and the hasher. Cloning shares the hasher.
#[derive(Clone)]
pub struct Passwords {
    policy: PasswordPolicy,
    pub(crate) hasher: Hasher,
    /// The public host, which counts as a personal word.
    host: String,
}

impl Passwords {
    pub fn new(settings: &Settings) -> Result<Self, Misconfigured> {
        let PasswordLimits { min_code_points, max_code_points, max_bytes } = settings.passwords;
        Ok(Self {
            policy: PasswordPolicy { min_code_points, max_code_points, max_bytes },
            hasher: hasher(settings)?,
            host: Origin::host(&settings.server.public).to_owned(),
        })
    }

    /// How busy the hasher is.
    pub fn load(&self) -> HasherLoad {
        self.hasher.load()
    }

    /// How many callers the hasher refused.
    pub fn refused(&self) -> &HashesRefused {
        &self.hasher.refused
    }

    pub fn min_code_points(&self) -> usize {
        self.policy.min_code_points
    }

    /// How hard `raw` is to guess, for the user with this name and email address.
    pub async fn strength(&self, raw: &str, name: &str, email: &str) -> Result<Strength, Fault> {
        let (raw, name, email, host) = (raw.to_owned(), name.to_owned(), email.to_owned(), self.host.clone());
        off_thread(move || Ok(strength(&raw, &[&name, &email, &host]))).await
    }

    /// Accepts `raw` as a new password of the user with this name and email address.
    pub(crate) fn choose(&self, raw: &str, name: &str, email: &str) -> Result<Password, WeakPassword> {
        self.policy.choose(raw, &[name, email, &self.host])
    }

    pub(crate) async fn hash(&self, password: Password) -> Result<PasswordHash, Fault> {
        self.hasher.hash(password).await.map_err(Fault::from)
    }
}

impl From<HasherBusy> for Fault {
    fn from(busy: HasherBusy) -> Self {
        Self::Busy { retry_after: busy.retry_after.as_secs() }
    }
}

fn hasher(settings: &Settings) -> Result<Hasher, Misconfigured> {
    let config = settings.hashing;
    let cost = HashCost {
        memory_kib: config.memory_kib,
        iterations: config.iterations,
        parallelism: config.parallelism,
    };
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let permits = match config.permits {
        0 => permits_for(memory_budget(), cost, cores),
        given => given,
    };
    Hasher::new(cost, permits, config.queue).map_err(|error| Misconfigured::new(format!("hashing: {error}")))
}
