//! Settings: defaults < `latchkey.toml` < environment. The only reader of the environment.

mod database;
mod limits;
mod memory;
mod origin;
mod shown;
mod sizes;
mod span;

use std::collections::HashMap;
use std::fmt;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat};
use serde::{Deserialize, Serialize};

pub use database::{Database, Pooler};
pub use limits::{Audit, Hashing, Leaving, Passwords, Profile, SessionLimits, Sessions, Throttle, Tokens};
pub use memory::memory_limit;
pub use origin::Origin;
pub use sizes::{blocking_threads, connections_of};
pub use span::Span;

use crate::secret::{SECRET_MIN_BYTES, Secret, WeakSecret};

/// Who may register.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    #[default]
    Open,
    Invite,
    Closed,
}

/// Where mail goes: a page of ours, a mail server, nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Mailbox,
    Smtp,
    None,
}

/// What an operator may write in `latchkey.toml` or as `LATCHKEY__SECTION__KEY`.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    secret: Option<String>,
    secret_previous: Option<String>,
    data_dir: Option<PathBuf>,
    registration: Registration,
    server: WrittenServer,
    database: database::Written,
    mail: WrittenMail,
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
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenMetrics {
    bind: Option<IpAddr>,
    port: Option<u16>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenMail {
    transport: Option<Transport>,
    smtp_url: Option<String>,
    from: Option<String>,
    keep: Option<Span>,
}

/// The settings in force.
#[derive(Clone)]
pub struct Settings {
    pub server: Server,
    /// `None`: local mode, Latchkey starts its own Postgres in `data_dir`.
    pub database: Option<String>,
    /// Where the connection that listens goes, if not there.
    pub database_direct: Option<String>,
    pub pool: Database,
    pub data_dir: PathBuf,
    pub secret: Secret,
    pub mail: Mail,
    /// Where `/metrics` is answered, if anywhere: never at the public address.
    pub metrics: Option<SocketAddr>,
    pub registration: Registration,
    pub sessions: SessionLimits,
    pub passwords: Passwords,
    pub hashing: Hashing,
    pub throttle: Throttle,
    pub tokens: Tokens,
    pub leaving: Leaving,
    pub audit: Audit,
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
}

#[derive(Clone)]
pub struct Mail {
    pub transport: Transport,
    pub smtp_url: Option<String>,
    pub from: String,
    /// Delivered letters stay listed, without their text, while somebody may ask whether one was sent: a month.
    pub keep: Span,
}

/// One clear line for the operator.
#[derive(Debug)]
pub struct Misconfigured(String);

impl Misconfigured {
    pub fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }
}

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "settings: {}", self.0)
    }
}

impl std::error::Error for Misconfigured {}

impl Settings {
    /// Reads `latchkey.toml` (or the file `LATCHKEY_CONFIG` names) and the environment.
    pub fn load() -> Result<Self, Misconfigured> {
        Self::from_environment(
            std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
        )
    }

    /// The same from a given environment, for tests.
    pub fn from_environment(env: HashMap<String, String>) -> Result<Self, Misconfigured> {
        let written = read(&env)?;
        resolve(written, &env)
    }

    /// Local mode: no database was named, so Latchkey brings its own.
    pub fn is_local(&self) -> bool {
        self.database.is_none()
    }
}

fn read(env: &HashMap<String, String>) -> Result<Written, Misconfigured> {
    let file = match env.get("LATCHKEY_CONFIG") {
        Some(path) => File::new(path, FileFormat::Toml).required(true),
        None => File::new("latchkey.toml", FileFormat::Toml).required(false),
    };
    let ours: Variables = env
        .iter()
        .filter(|(name, _)| name.starts_with("LATCHKEY__"))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    Config::builder()
        .add_source(file)
        .add_source(environment(ours.clone()))
        .build()
        .and_then(Config::try_deserialize)
        .map_err(|error| refuse(&error, ours))
}

type Variables = config::Map<String, String>;

fn environment(variables: Variables) -> Environment {
    Environment::with_prefix("LATCHKEY")
        .prefix_separator("__")
        .separator("__")
        .ignore_empty(true)
        .source(Some(variables))
}

/// Names the variable, if one is refused by itself. A line that is no TOML may hold a secret: only its number
/// is told.
fn refuse(error: &ConfigError, variables: Variables) -> Misconfigured {
    if let ConfigError::FileParse { uri, cause } = error {
        let (file, cause) = (uri.as_deref().unwrap_or("the file"), cause.to_string());
        return Misconfigured(format!("{file}: {}", cause.lines().next().unwrap_or_default().trim_end()));
    }
    let alone = |variable: (String, String)| {
        let written = Config::builder()
            .add_source(environment(Variables::from_iter([variable.clone()])))
            .build()
            .and_then(Config::try_deserialize::<Written>);
        written.err().map(|error| format!("{}: {error}", variable.0))
    };
    Misconfigured(variables.into_iter().filter_map(alone).min().unwrap_or_else(|| error.to_string()))
}

fn resolve(written: Written, env: &HashMap<String, String>) -> Result<Settings, Misconfigured> {
    let database = written.database.url(env);
    let local = database.is_none();
    let data_dir = written.data_dir.unwrap_or_else(|| PathBuf::from(".latchkey"));
    let port = match env.get("PORT") {
        Some(text) => text.parse().map_err(|_| Misconfigured(format!("PORT={text:?} is no port number")))?,
        None => written.server.port.unwrap_or(8080),
    };
    let public = match written.server.public_url.as_deref() {
        Some(text) => Origin::parse(text)
            .map_err(|why| Misconfigured(format!("LATCHKEY__SERVER__PUBLIC_URL: {why}")))?,
        None if local => Origin::parse(&format!("http://localhost:{port}")).map_err(Misconfigured)?,
        None => {
            return Err(Misconfigured(
                "LATCHKEY__SERVER__PUBLIC_URL is missing: the address people type, such as https://id.example.org".into(),
            ));
        }
    };
    let secret = match (written.secret, local) {
        (Some(text), _) => strong(&text, "LATCHKEY__SECRET")?,
        (None, true) => local_secret(&data_dir)?,
        (None, false) => {
            return Err(Misconfigured(format!(
                "LATCHKEY__SECRET is missing: at least {SECRET_MIN_BYTES} random bytes, for example from `openssl rand -base64 48`"
            )));
        }
    };
    if written.database.pool().pooler == Pooler::Transaction && written.database.direct_url.is_none() {
        return Err(Misconfigured(
            "LATCHKEY__DATABASE__POOLER is transaction, so LATCHKEY__DATABASE__DIRECT_URL has to lead past it: \
             migrations and the connection that listens need one connection for themselves"
                .into(),
        ));
    }
    let previous =
        written.secret_previous.map(|text| strong(&text, "LATCHKEY__SECRET_PREVIOUS")).transpose()?;
    let any_or_loopback = if local { [127, 0, 0, 1] } else { [0, 0, 0, 0] };
    Ok(Settings {
        mail: resolve_mail(written.mail, local, &public)?,
        server: Server {
            bind: written.server.bind.unwrap_or_else(|| any_or_loopback.into()),
            port,
            public,
            trusted_hops: written.server.trusted_hops,
            workers: sizes::workers(written.server.workers),
        },
        metrics: written.metrics.port.map(|port| {
            SocketAddr::new(written.metrics.bind.unwrap_or_else(|| any_or_loopback.into()), port)
        }),
        database,
        pool: written.database.pool(),
        database_direct: written.database.direct_url,
        data_dir,
        secret: secret.with_previous(previous),
        registration: written.registration,
        sessions: written.sessions.limits(),
        passwords: written.passwords,
        hashing: written.hashing,
        throttle: written.throttle,
        tokens: written.tokens,
        leaving: written.leaving,
        audit: written.audit.checked()?,
    })
}

fn resolve_mail(written: WrittenMail, local: bool, public: &Origin) -> Result<Mail, Misconfigured> {
    // The mailbox shows reset links to whoever asks, so it is for this very machine.
    let private = local && public.is_loopback();
    let transport = written.transport.unwrap_or(match (&written.smtp_url, private) {
        (Some(_), _) => Transport::Smtp,
        (None, true) => Transport::Mailbox,
        (None, false) => Transport::None,
    });
    if transport == Transport::Mailbox && !private {
        return Err(Misconfigured(
            "LATCHKEY__MAIL__TRANSPORT=mailbox shows every mail to everybody, so it works in local mode only, with a localhost public URL"
                .into(),
        ));
    }
    if transport == Transport::Smtp && written.smtp_url.is_none() {
        return Err(Misconfigured(
            "LATCHKEY__MAIL__SMTP_URL is missing, such as smtps://user:password@mail.example.org".into(),
        ));
    }
    let from = written.from.unwrap_or_else(|| format!("Latchkey <no-reply@{}>", public.host()));
    let keep = written.keep.unwrap_or(Span::days(30));
    Ok(Mail { transport, smtp_url: written.smtp_url, from, keep })
}

fn strong(text: &str, name: &str) -> Result<Secret, Misconfigured> {
    Secret::parse(text).map_err(|weak| {
        Misconfigured(match weak {
            WeakSecret::TooShort => format!("{name} is too short: at least {SECRET_MIN_BYTES} bytes"),
            WeakSecret::Repetitive => format!("{name} repeats a few characters: take random bytes, for example from `openssl rand -base64 48`"),
        })
    })
}

/// Local mode's own secret, made once and readable by its owner only.
fn local_secret(data_dir: &Path) -> Result<Secret, Misconfigured> {
    let path = data_dir.join("secret");
    let broken = |error: &dyn fmt::Display| Misconfigured(format!("{}: {error}", path.display()));
    std::fs::create_dir_all(data_dir).map_err(|error| broken(&error))?;
    if let Ok(text) = std::fs::read_to_string(&path) {
        return strong(&text, "the secret in the data directory");
    }
    // Written beside and linked into place, so that two first starts agree and none reads half a secret.
    let fresh = data_dir.join(format!("secret.{}", std::process::id()));
    let text = Secret::generate().map_err(|error| broken(&error))?;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|error| broken(&error))?;
    let linked = std::fs::hard_link(&fresh, &path);
    let _ = std::fs::remove_file(&fresh);
    match linked {
        Ok(()) => strong(&text, "the new secret"),
        Err(_) => std::fs::read_to_string(&path)
            .map_err(|error| broken(&error))
            .and_then(|text| strong(&text, "the secret in the data directory")),
    }
}

#[cfg(test)]
mod tests;
