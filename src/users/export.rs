//! Take along what is kept about you (GDPR articles 15 and 20). Called by the account pages.

use serde_json::{Map, Value, json};

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::identity::{Client, LiveUser};
use crate::users::{Users, queries};

/// The shape of docs/export.md. It grows; what is in it keeps its name and meaning.
const FORMAT: &str = "latchkey-export-1";

impl Users {
    /// Everything kept about the person, nothing that opens anything.
    pub async fn export(&self, live: &LiveUser, client: Client) -> Result<Value, Fault> {
        let (user, session) = (live.owner.id, live.record.handle);
        self.db
            .write(move |conn| {
                NewEvent::by_owner(AuditAction::Exported, user, &client).session(session).write(conn)?;
                let mut all = Map::new();
                all.insert("format".into(), json!(FORMAT));
                for (section, rows) in queries::stored_data(conn, user)? {
                    let value = match (section, rows) {
                        // There is one.
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
