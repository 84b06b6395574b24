//! Reads the settings.

use std::collections::HashMap;

use super::local_secret::IfMissing;
use super::problems::Misconfigured;
use super::settings::Settings;
use super::variables::Variables;
use super::{read, resolve};

impl Settings {
    /// Reads `latchkey.toml` (or the file `LATCHKEY_CONFIG` names) and the environment. In local mode the first call
    /// creates the secret.
    pub fn load() -> Result<Self, Misconfigured> {
        Self::from(&Variables::of_this_process()?, IfMissing::Create)
    }

    /// The same for commands that only look: creates nothing.
    pub fn inspect() -> Result<Self, Misconfigured> {
        Self::from(&Variables::of_this_process()?, IfMissing::Pretend)
    }

    /// The same as [`Settings::load`] from a given environment, for tests.
    pub fn from_environment(environment: HashMap<String, String>) -> Result<Self, Misconfigured> {
        Self::from(&Variables::new(environment), IfMissing::Create)
    }

    fn from(variables: &Variables, if_missing: IfMissing) -> Result<Self, Misconfigured> {
        let (written, sources) = read::read(variables)?;
        resolve::resolve(written, sources, variables, if_missing)
    }
}
