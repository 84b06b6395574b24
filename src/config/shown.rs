//! The settings as `latchkey config` shows them.

use serde::{Serialize, Serializer};

use super::{Settings, database};

impl Serialize for Settings {
    /// What `latchkey config` shows: everything in force, secrets and passwords replaced.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hidden = |present: bool| if present { "(set)" } else { "(not set)" };
        serde_json::json!({
            "mode": if self.is_local() { "local" } else { "deployed" },
            "server": {
                "bind": self.server.bind, "port": self.server.port, "public_url": self.server.public.as_str(),
                "trusted_hops": self.server.trusted_hops, "workers": self.server.workers,
            },
            "database": {
                "url": self.database.as_deref().map(database::redacted),
                "direct_url": self.database_direct.as_deref().map(database::redacted),
                "pool": self.pool,
            },
            "data_dir": self.data_dir,
            "secret": hidden(true),
            "secret_previous": hidden(self.secret.previous_cookie_key().is_some()),
            "metrics": self.metrics,
            "mail": {
                "transport": self.mail.transport, "from": self.mail.from,
                "smtp_url": self.mail.smtp_url.as_deref().map(database::redacted), "keep": self.mail.keep,
            },
            "registration": self.registration,
            "sessions": self.sessions,
            "passwords": self.passwords,
            "hashing": self.hashing,
            "throttle": self.throttle,
            "tokens": self.tokens,
            "leaving": self.leaving,
            "audit": self.audit,
        })
        .serialize(serializer)
    }
}
