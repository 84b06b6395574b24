//! The small map actix-session keeps for an application, as jsonb. Nothing that decides admission is in it.

use std::collections::HashMap;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Jsonb;

/// Most bytes of keys and values together. It is read with every request: keep things elsewhere.
const MAX_BYTES: usize = 4096;

/// Nearly always empty, and then a pointer to nothing.
#[expect(clippy::box_collection, reason = "40 bytes less in each session that is kept in memory")]
#[derive(Clone, Debug, Default, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Jsonb)]
pub struct State(Option<Box<HashMap<String, String>>>);

/// The state has outgrown its row.
#[derive(Debug)]
pub struct TooLarge;

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "session state is larger than {MAX_BYTES} bytes")
    }
}

impl std::error::Error for TooLarge {}

impl State {
    pub fn new(map: HashMap<String, String>) -> Result<Self, TooLarge> {
        let size: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
        if size > MAX_BYTES { Err(TooLarge) } else { Ok(Self::from(map)) }
    }

    pub(super) fn to_map(&self) -> HashMap<String, String> {
        self.0.as_deref().cloned().unwrap_or_default()
    }
}

impl From<HashMap<String, String>> for State {
    fn from(map: HashMap<String, String>) -> Self {
        Self((!map.is_empty()).then(|| Box::new(map)))
    }
}

impl ToSql<Jsonb, Pg> for State {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let value = serde_json::to_value(self.to_map())?;
        ToSql::<Jsonb, Pg>::to_sql(&value, &mut out.reborrow())
    }
}

impl FromSql<Jsonb, Pg> for State {
    /// A row whose state is no map of strings was not written by us: it reads as empty, so that the
    /// session's columns still count and nothing of the foreign value does.
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        // Behind the version byte. Read directly: jsonb holds numbers and depths that serde_json's own value does not.
        let json = bytes.as_bytes().get(1..).unwrap_or_default();
        Ok(serde_json::from_slice::<HashMap<_, _>>(json).map(Self::from).unwrap_or_else(|error| {
            tracing::warn!(%error, "malformed session state read as empty");
            Self::default()
        }))
    }
}
