//! Settings: defaults < `latchkey.toml` < environment. The only reader of the environment.

mod choice;
mod database;
mod limits;
mod local_secret;
mod mail;
mod memory;
mod origin;
mod problems;
mod read;
mod resolve;
mod shown;
mod sizes;
mod sources;
mod span;
mod variables;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use database::{Database, Pooler};
pub use limits::{
    Audit, Hashing, Leaving, Passwords, Profile, SessionLimits, Sessions, Switch, Throttle, Tokens,
};
pub use mail::{Mail, Transport, literal};
pub use memory::memory_limit;
pub use origin::Origin;
pub use problems::Misconfigured;
pub use shown::SettingRow;
pub use sizes::{blocking_threads, connections_of};
pub use span::Span;
pub use variables::untidy_libpq;

use choice::choice;
use local_secret::IfMissing;
use sources::{Source, Sources};
use variables::Variables;

use crate::secret::Secret;

choice! {
    /// Who may register.
    #[derive(Default)]
    Registration {
        #[default]
        Open = "open",
        Invite = "invite",
        Closed = "closed",
    }
}

/// What an operator may write in `latchkey.toml` or as `LATCHKEY__SECTION__KEY`.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    secret: Option<String>,
    secret_previous: Option<String>,
    data_dir: Option<PathBuf>,
    registration: Registration,
    compare: Option<Switch>,
    server: WrittenServer,
    database: database::Written,
    mail: mail::Written,
    metrics: WrittenMetrics,
    sessions: Sessions,
    passwords: Passwords,
    hashing: Hashing,
    throttle: Throttle,
    tokens: Tokens,
    leaving: Leaving,
    audit: Audit,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenServer {
    bind: Option<IpAddr>,
    port: Option<u16>,
    public_url: Option<String>,
    trusted_hops: usize,
    workers: usize,
    hsts_subdomains: Switch,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenMetrics {
    bind: Option<IpAddr>,
    port: Option<u16>,
}

/// The settings in force.
#[derive(Clone)]
pub struct Settings {
    pub server: Server,
    /// `None`: local mode, Latchkey starts its own Postgres in `data_dir`.
    pub database: Option<String>,
    /// The name of a connection made in the Choreo console.
    choreo_connection: String,
    /// Where the connection that listens goes, if not there.
    pub database_direct: Option<String>,
    pub pool: Database,
    pub data_dir: PathBuf,
    pub secret: Secret,
    pub mail: Mail,
    /// Where `/metrics` is answered, if anywhere: never at the public address.
    pub metrics: Option<SocketAddr>,
    pub registration: Registration,
    /// Whether `/compare` exists. On by default, because it shows what the sessions guarantee and needs no account. Off
    /// removes its routes, links, clean-up and signing keys, for sites that show only what their users need.
    pub compare: Switch,
    pub sessions: SessionLimits,
    pub passwords: Passwords,
    pub hashing: Hashing,
    pub throttle: Throttle,
    pub tokens: Tokens,
    pub leaving: Leaving,
    pub audit: Audit,
    sources: Sources,
}

#[derive(Clone)]
pub struct Server {
    pub bind: IpAddr,
    pub port: u16,
    pub public: Origin,
    /// How many proxies of ours stand in front: the client is the Nth address from the right.
    pub trusted_hops: usize,
    /// Threads that serve.
    pub workers: usize,
    /// Whether browsers are told to use TLS for every host below the public one, too.
    pub hsts_subdomains: Switch,
}

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

    /// Local mode: no database was named, so Latchkey brings its own.
    pub fn is_local(&self) -> bool {
        self.database.is_none()
    }

    /// Takes the port that the system chose for port 0, so that links lead to it where no public URL is set.
    pub fn listening_on(&mut self, port: u16) -> Result<(), Misconfigured> {
        if self.sources.of("server.public_url") == Source::Default {
            self.server.public = Origin::on_this_machine(port).map_err(Misconfigured::new)?;
        }
        self.server.port = port;
        Ok(())
    }

    /// Whether people may register, yet no letter can prove their address.
    pub fn registration_lacks_mail(&self) -> bool {
        self.registration != Registration::Closed && self.mail.transport == Transport::None
    }
}

#[cfg(test)]
mod tests;
