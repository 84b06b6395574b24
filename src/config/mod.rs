//! Settings: defaults < `latchkey.toml` < environment. The only reader of the environment.

mod choice;
mod database;
mod documented;
mod hidden;
mod limits;
mod load;
mod local_secret;
mod mail;
mod memory;
mod origin;
mod problems;
mod raw;
mod read;
mod resolve;
mod settings;
mod shown;
mod sizes;
mod sources;
mod span;
mod variables;

pub use database::{Database, Pooler};
pub use limits::{
    ApiLimits, AppBounds, AppDefaults, AuditSettings, DeletionSettings, Hashing, LinkLifetimes,
    PasswordLimits, Profile, RawSessions, SessionLimits, StreamLimits, Switch, ThrottleLimits, TokenLimits,
};
pub use mail::{MailSettings, Transport, literal};
pub use memory::memory_limit;
pub use origin::Origin;
pub(crate) use origin::is_host_name;
pub use problems::Misconfigured;
pub use raw::{RegistrationMode, UpstreamsFrom};
pub use settings::{AppsSettings, FrontSettings, ServerSettings, Settings};
pub use shown::SettingRow;
pub use sizes::{UpstreamLimits, blocking_threads, connections_of, raise_file_limit, upstream_limits};
pub use span::{Span, duration_in_words, in_words};
pub use variables::untidy_libpq;

#[cfg(test)]
mod tests;
