//! The settings as an operator writes them.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::choice::choice;
use super::documented::documented;
use super::limits::{
    AuditSettings, DeletionSettings, Hashing, LinkLifetimes, PasswordLimits, RawSessions, Switch,
    ThrottleLimits,
};
use super::{database, hidden, mail};

choice! {
    /// Who may register.
    #[derive(Default)]
    RegistrationMode {
        #[default]
        Open = "open",
        Invite = "invite",
        Closed = "closed",
    }
}

choice! {
    /// Who may set the upstreams of apps.
    #[derive(Default)]
    UpstreamsFrom {
        #[default]
        File = "file",
        Admin = "admin",
    }
}

documented! {
    /// What an operator may write in `latchkey.toml` or as `LATCHKEY__SECTION__KEY`.
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct RawSettings {
        /// At least 32 random bytes, for example from `openssl rand -base64 48`. It signs cookies and form tokens and
        /// seals waiting emails and authenticator seeds. It must be the same on every instance.
        /// Default: required; in local mode it is created and kept in the data directory.
        #[serde(serialize_with = "hidden::secret")]
        pub(super) secret: Option<SecretString>,
        /// The previous secret. It is still accepted while you [change the secret](operations.md#change-the-secret).
        #[serde(serialize_with = "hidden::secret")]
        pub(super) secret_previous: Option<SecretString>,
        /// Where local mode keeps its Postgres and its secret. Not used when a database is named.
        pub(super) data_dir: Option<PathBuf>,
        /// Who can register: `open` (anyone), `invite` (only people an administrator invited) or `closed`.
        pub(super) registration: RegistrationMode,
        /// `off` removes `/compare` with every link to it, its clean-up and its signing keys, and the next start deletes
        /// the runs that are left. It is on because the page needs no account and shows what sessions guarantee; switch
        /// it off where users should see only what they need.
        /// Default: `on`
        pub(super) compare: Option<Switch>,
        pub(super) server: RawServer,
        pub(super) database: database::RawDatabase,
        pub(super) mail: mail::RawMail,
        pub(super) metrics: RawMetrics,
        pub(super) front: RawFront,
        pub(super) sessions: RawSessions,
        pub(super) passwords: PasswordLimits,
        pub(super) hashing: Hashing,
        pub(super) throttle: ThrottleLimits,
        pub(super) tokens: LinkLifetimes,
        pub(super) leaving: DeletionSettings,
        pub(super) audit: AuditSettings,
        pub(super) apps: RawApps,
    }
}

documented! {
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct RawApps {
        /// Where the upstreams of [apps](apps.md) may be set: `file` (in a file of apps and on the command line) or `admin`
        /// (also by administrators, on pages). Latchkey sends requests to an upstream from inside your network, so not
        /// every administrator of users should be able to choose one.
        pub(super) upstreams_from: UpstreamsFrom,
    }
}

documented! {
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct RawServer {
        /// The IP address to listen on. Local mode listens on the loopback interface only, because its mailbox shows
        /// every email.
        pub(super) bind: Option<IpAddr>,
        /// The TCP port to listen on. `PORT` wins, because platforms set it. 0 lets the system choose.
        pub(super) port: Option<u16>,
        /// The address that users type, without a path. Links, the `Secure` attribute of cookies, the origin check and
        /// passkeys depend on it; it is never taken from a request.
        /// Default: required; in local mode `http://localhost:` and the port.
        pub(super) public_url: Option<String>,
        /// How many of your own proxies are in front. The client's IP address is the Nth entry from the right in
        /// `X-Forwarded-For`. A number that is too high lets clients choose their IP address and avoid the throttle.
        pub(super) trusted_hops: usize,
        /// Threads that serve requests; 0 is one per core. They never block, so more do not help.
        /// Default: one per core
        pub(super) workers: usize,
        /// `on` adds `includeSubDomains` to HSTS: browsers then require TLS for every host below the public one. Switch
        /// it on when all of them have TLS.
        pub(super) hsts_subdomains: Switch,
    }
}

documented! {
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct RawMetrics {
        /// The IP address that `/metrics` listens on.
        /// Default: `0.0.0.0`; in local mode `127.0.0.1`
        pub(super) bind: Option<IpAddr>,
        /// The port of `/metrics` for [Prometheus](observability.md). It is never served on the public port, because
        /// it has no log-in.
        /// Default: off
        pub(super) port: Option<u16>,
    }
}

documented! {
    #[derive(Deserialize, Serialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct RawFront {
        /// The port on which proxies ask for [decisions](proxies.md): nginx, Caddy, Traefik, HAProxy or Envoy
        /// carry the traffic of the apps, and Latchkey decides about each request. 0 lets the system choose.
        /// Default: off
        pub(super) port: Option<u16>,
        /// The IP address that this port listens on. A client that can reach it can claim any URL and IP address, so
        /// only your proxies should be able to.
        pub(super) bind: IpAddr,
        /// How many of your own proxies are in front of this port, at least 1. The client's IP address is the Nth entry from
        /// the right in `X-Forwarded-For`.
        pub(super) hops: usize,
    }
}

impl Default for RawFront {
    fn default() -> Self {
        Self { port: None, bind: Ipv4Addr::LOCALHOST.into(), hops: 1 }
    }
}
