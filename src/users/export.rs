//! Export the data stored about a user (GDPR articles 15 and 20).

use serde_json::{Map, Value, json};

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::identity::{Client, LiveUser, UserSession as _};
use crate::users::{Users, queries};

/// The format of docs/export.md. Keys may be added; existing keys keep their name and meaning.
const FORMAT: &str = "latchkey-export-1";

impl Users {
    /// Everything stored about the user, without credentials.
    pub async fn export(&self, live: &LiveUser, client: Client) -> Result<Value, Fault> {
        let (user, session) = (live.user_id(), live.record.handle);
        self.db
            .write(move |conn| {
                NewEvent::by_owner(AuditAction::Exported, user, &client).session(session).write(conn)?;
                let mut all = Map::new();
                all.insert("format".into(), json!(FORMAT));
                for (section, rows) in queries::stored_data(conn, user)? {
                    let value = match (section, rows) {
                        ("profile", Value::Array(mut rows)) => rows.pop().unwrap_or_default(),
                        (_, rows) => rows,
                    };
                    all.insert(section.into(), value);
                }
                Ok(Value::Object(all))
            })
            .await
    }
}
