//! The settings in force.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use secrecy::SecretString;

use super::database::Database;
use super::limits::{
    AuditSettings, DeletionSettings, Hashing, LinkLifetimes, PasswordLimits, SessionLimits, Switch,
    ThrottleLimits,
};
use super::mail::{MailSettings, Transport};
use super::origin::Origin;
use super::problems::Misconfigured;
use super::raw::{RegistrationMode, UpstreamsFrom};
use super::sources::{Source, Sources};
use crate::secret::Secret;

/// Every setting, with its default if the operator set none.
#[derive(Clone)]
pub struct Settings {
    pub server: ServerSettings,
    /// `None`: local mode; Latchkey starts its own Postgres in `data_dir`.
    pub database: Option<SecretString>,
    /// The name of a connection made in the Choreo console.
    pub(super) choreo_connection: String,
    /// The direct database URL of the listening connection, if it differs.
    pub database_direct: Option<SecretString>,
    pub pool: Database,
    pub data_dir: PathBuf,
    pub secret: Secret,
    pub mail: MailSettings,
    /// Where `/metrics` is served, if at all: never on the public port.
    pub metrics: Option<SocketAddr>,
    pub front: FrontSettings,
    pub registration: RegistrationMode,
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
    pub apps: AppsSettings,
    pub(super) sources: Sources,
}

/// The settings about apps behind Latchkey.
#[derive(Clone, Default)]
pub struct AppsSettings {
    pub upstreams_from: UpstreamsFrom,
    /// The file of apps that is applied at the start, from the variable `LATCHKEY_APPS`.
    pub file: Option<PathBuf>,
}

/// Where other proxies ask for decisions: never on the public port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontSettings {
    pub bind: IpAddr,
    /// `None`: no proxy can ask.
    pub port: Option<u16>,
    /// How many of the operator's proxies are in front, at least 1: the client is the Nth address from the right.
    pub hops: usize,
}

impl FrontSettings {
    pub fn address(&self) -> Option<SocketAddr> {
        self.port.map(|port| SocketAddr::new(self.bind, port))
    }
}

#[derive(Clone)]
pub struct ServerSettings {
    pub bind: IpAddr,
    pub port: u16,
    pub public: Origin,
    /// How many of the operator's proxies are in front: the client is the Nth address from the right.
    pub trusted_hops: usize,
    /// Threads that serve requests.
    pub workers: usize,
    /// Whether HSTS includes the hosts below the public one.
    pub hsts_subdomains: Switch,
}

impl Settings {
    /// Local mode: no database is configured, so Latchkey starts its own.
    pub fn is_local(&self) -> bool {
        self.database.is_none()
    }

    /// Records the port that the system chose for port 0, so that links lead to it if no public URL is set.
    pub fn listening_on(&mut self, port: u16) -> Result<(), Misconfigured> {
        if self.sources.of("server.public_url") == Source::Default {
            self.server.public = Origin::on_this_machine(port).map_err(Misconfigured::new)?;
        }
        self.server.port = port;
        Ok(())
    }

    /// Whether visitors may register although no email can verify their address.
    pub fn registration_lacks_mail(&self) -> bool {
        self.registration != RegistrationMode::Closed && self.mail.transport == Transport::None
    }
}
