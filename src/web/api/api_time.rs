//! Times in answers and filters: RFC 3339, in UTC.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::db::time::Moment;

/// A time as the database stores it, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiTime(Moment);

impl ApiTime {
    pub fn moment(self) -> Moment {
        self.0
    }
}

impl From<Moment> for ApiTime {
    fn from(at: Moment) -> Self {
        Self(at)
    }
}

impl From<OffsetDateTime> for ApiTime {
    fn from(at: OffsetDateTime) -> Self {
        Self(at.into())
    }
}

impl Serialize for ApiTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = OffsetDateTime::from(self.0).format(&Rfc3339).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for ApiTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = OffsetDateTime::parse(&text, &Rfc3339)
            .map_err(|_| D::Error::custom("not a time such as 2026-11-30T12:00:00Z"))?;
        // Postgres stores no times outside these years.
        let at = at.checked_to_offset(UtcOffset::UTC).filter(|at| (0..=9999).contains(&at.year()));
        at.map(Self::from).ok_or_else(|| D::Error::custom("not a time of the years 0000 to 9999"))
    }
}

impl PartialSchema for ApiTime {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for ApiTime {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<ApiTime> {
        serde_json::from_value(text.into()).ok()
    }

    #[test]
    fn a_time_is_written_in_utc_and_read_in_any_zone() {
        let at = read("2026-11-30T13:00:00.25+01:00").unwrap();
        assert_eq!(serde_json::to_value(at).unwrap(), "2026-11-30T12:00:00.25Z");
        for other in ["", "2026-11-30", "2026-13-01T00:00:00Z", "now"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_time_is_read_as_it_was_written(micros in -60_000_000_000_000_000_i64..200_000_000_000_000_000) {
            let at = ApiTime(Moment(micros));
            let text = serde_json::to_value(at).unwrap();
            prop_assert_eq!(serde_json::from_value::<ApiTime>(text).unwrap(), at);
        }
    }
}
