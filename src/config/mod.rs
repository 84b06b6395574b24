//! Settings: defaults < `latchkey.toml` < environment. The only reader of the environment.

mod choice;
mod database;
mod documented;
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

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use database::{Database, Pooler};
pub use limits::{
    AuditSettings, DeletionSettings, Hashing, LinkLifetimes, PasswordLimits, Profile, RawSessions,
    SessionLimits, Switch, ThrottleLimits,
};
pub use mail::{MailSettings, Transport, literal};
pub use memory::memory_limit;
pub use origin::Origin;
pub use problems::Misconfigured;
pub use shown::SettingRow;
pub use sizes::{blocking_threads, connections_of};
pub use span::{Span, duration_in_words, in_words};
pub use variables::untidy_libpq;

use choice::choice;
use documented::documented;
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

documented! {
    /// What an operator may write in `latchkey.toml` or as `LATCHKEY__SECTION__KEY`.
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    struct RawSettings {
        /// At least 32 random bytes, for example from `openssl rand -base64 48`. It signs cookies and form tokens and
        /// seals waiting emails and authenticator seeds. It must be the same on every instance.
        /// Default: required; in local mode it is created and kept in the data directory.
        #[serde(serialize_with = "shown::hidden")]
        secret: Option<SecretString>,
        /// The previous secret. It is still accepted while you [change the secret](operations.md#change-the-secret).
        #[serde(serialize_with = "shown::hidden")]
        secret_previous: Option<SecretString>,
        /// Where local mode keeps its Postgres and its secret. Not used when a database is named.
        data_dir: Option<PathBuf>,
        /// Who can register: `open` (anyone), `invite` (only people an administrator invited) or `closed`.
        registration: Registration,
        /// `off` removes `/compare` with every link to it, its clean-up and its signing keys, and the next start deletes
        /// the runs that are left. It is on because the page needs no account and shows what sessions guarantee; switch
        /// it off where users should see only what they need.
        /// Default: `on`
        compare: Option<Switch>,
        server: RawServer,
        database: database::RawDatabase,
        mail: mail::RawMail,
        metrics: RawMetrics,
        sessions: RawSessions,
        passwords: PasswordLimits,
        hashing: Hashing,
        throttle: ThrottleLimits,
        tokens: LinkLifetimes,
        leaving: DeletionSettings,
        audit: AuditSettings,
    }
}

documented! {
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    struct RawServer {
        /// The IP address to listen on. Local mode listens on the loopback interface only, because its mailbox shows
        /// every email.
        bind: Option<IpAddr>,
        /// The TCP port to listen on. `PORT` wins, because platforms set it. 0 lets the system choose.
        port: Option<u16>,
        /// The address that users type, without a path. Links, the `Secure` attribute of cookies, the origin check and
        /// passkeys depend on it; it is never taken from a request.
        /// Default: required; in local mode `http://localhost:` and the port.
        public_url: Option<String>,
        /// How many of your own proxies are in front. The client's IP address is the Nth entry from the right in
        /// `X-Forwarded-For`. A number that is too high lets clients choose their IP address and avoid the throttle.
        trusted_hops: usize,
        /// Threads that serve requests; 0 is one per core. They never block, so more do not help.
        /// Default: one per core
        workers: usize,
        /// `on` adds `includeSubDomains` to HSTS: browsers then require TLS for every host below the public one. Switch
        /// it on when all of them have TLS.
        hsts_subdomains: Switch,
    }
}

documented! {
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    struct RawMetrics {
        /// The IP address that `/metrics` listens on.
        /// Default: `0.0.0.0`; in local mode `127.0.0.1`
        bind: Option<IpAddr>,
        /// The port of `/metrics` for [Prometheus](observability.md). It is never served on the public port, because
        /// it has no log-in.
        /// Default: off
        port: Option<u16>,
    }
}

/// The settings in force.
#[derive(Clone)]
pub struct Settings {
    pub server: ServerSettings,
    /// `None`: local mode, Latchkey starts its own Postgres in `data_dir`.
    pub database: Option<SecretString>,
    /// The name of a connection made in the Choreo console.
    choreo_connection: String,
    /// Where the connection that listens goes, if not there.
    pub database_direct: Option<SecretString>,
    pub pool: Database,
    pub data_dir: PathBuf,
    pub secret: Secret,
    pub mail: MailSettings,
    /// Where `/metrics` is answered, if anywhere: never at the public address.
    pub metrics: Option<SocketAddr>,
    pub registration: Registration,
    /// Whether `/compare` exists. On by default, because it shows what the sessions guarantee and needs no account. Off
    /// removes its routes, links, clean-up and signing keys, for sites that show only what their users need.
    pub compare: Switch,
    pub sessions: SessionLimits,
    pub passwords: PasswordLimits,
    pub hashing: Hashing,
    pub throttle: ThrottleLimits,
    pub tokens: LinkLifetimes,
    pub leaving: DeletionSettings,
    pub audit: AuditSettings,
    sources: Sources,
}

#[derive(Clone)]
pub struct ServerSettings {
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
