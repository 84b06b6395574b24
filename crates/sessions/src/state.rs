//! The small map that actix-session keeps for an application, stored as jsonb. Nothing in it decides who is admitted.

use std::collections::HashMap;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Jsonb;

/// Bytes of keys and values together at most. The map is read with every request; larger values belong elsewhere.
const MAX_BYTES: usize = 4096;

/// The map of one session: nearly always empty, and then a null pointer.
///
/// ```
/// use std::collections::HashMap;
/// use latchkey_sessions::SessionState;
///
/// let small = HashMap::from([("theme".to_owned(), "dark".to_owned())]);
/// assert!(SessionState::new(small).is_ok());
/// let large = HashMap::from([("essay".to_owned(), "x".repeat(5000))]);
/// assert!(SessionState::new(large).is_err());
/// ```
#[expect(clippy::box_collection, reason = "40 bytes less in each cached session")]
#[derive(Clone, Debug, Default, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Jsonb)]
pub struct SessionState(Option<Box<HashMap<String, String>>>);

/// The map is larger than a row may hold.
#[derive(Debug, thiserror::Error)]
#[error("session state is larger than {MAX_BYTES} bytes")]
pub struct StateTooLarge;

impl SessionState {
    /// The state with these entries.
    ///
    /// # Errors
    /// [`StateTooLarge`] above 4096 bytes.
    pub fn new(map: HashMap<String, String>) -> Result<Self, StateTooLarge> {
        let size: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
        if size > MAX_BYTES { Err(StateTooLarge) } else { Ok(Self::from(map)) }
    }

    pub(super) fn to_map(&self) -> HashMap<String, String> {
        self.0.as_deref().cloned().unwrap_or_default()
    }
}

impl From<HashMap<String, String>> for SessionState {
    fn from(map: HashMap<String, String>) -> Self {
        Self((!map.is_empty()).then(|| Box::new(map)))
    }
}

impl ToSql<Jsonb, Pg> for SessionState {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let value = serde_json::to_value(self.to_map())?;
        ToSql::<Jsonb, Pg>::to_sql(&value, &mut out.reborrow())
    }
}

impl FromSql<Jsonb, Pg> for SessionState {
    /// A value that is not a map of strings was not written by this crate. It reads as empty; the session's columns
    /// still apply.
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        // After the version byte. Parsed directly as a map: jsonb may hold numbers and depths that serde_json::Value
        // cannot.
        let json = bytes.as_bytes().get(1..).unwrap_or_default();
        Ok(serde_json::from_slice::<HashMap<_, _>>(json).map(Self::from).unwrap_or_else(|error| {
            tracing::warn!(%error, "malformed session state read as empty");
            Self::default()
        }))
    }
}
