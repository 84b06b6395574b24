//! The detail of an event about a session that was ended: JSON that describes the session. The session's own row is
//! deleted weeks after its end, the event is not.

use diesel::pg::PgConnection;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::db::Fault;
use crate::device;
use crate::identity::User;
use latchkey_sessions::{Handle, Store};

/// A session that was ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSession {
    /// Such as "Firefox on Linux": short, so that the JSON fits into a detail.
    pub device: String,
    /// When the session was opened, in RFC 3339.
    began: String,
    /// The session that ended it; `None` for a mailed link and for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Uuid>,
}

impl EndedSession {
    fn new(user_agent: &str, began: OffsetDateTime, by: Option<Handle>) -> Self {
        Self {
            device: device::name(user_agent),
            began: began.replace_nanosecond(0).unwrap_or(began).format(&Rfc3339).unwrap_or_default(),
            by: by.map(|handle| handle.0),
        }
    }

    fn detail(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the detail of an event; `None` for events of versions that wrote no JSON, and for erased events.
    pub fn read(detail: &str) -> Option<Self> {
        serde_json::from_str(detail).ok()
    }

    pub fn began(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(&self.began, &Rfc3339).ok()
    }
}

/// The detail of the event about a session that is about to be ended; empty if its row is deleted already.
pub(crate) fn ended_session_detail(
    sessions: &Store<User>,
    conn: &mut PgConnection,
    handle: Handle,
    by: Option<Handle>,
) -> Result<String, Fault> {
    let Some(record) = sessions.record(conn, handle)? else { return Ok(String::new()) };
    Ok(EndedSession::new(&record.login.user_agent, record.created_at.into(), by).detail())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_read_back_and_older_details_are_not_mistaken_for_one() {
        let began = OffsetDateTime::from_unix_timestamp(1_715_938_200).unwrap();
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
        for by in [None, Some(Handle(Uuid::from_u128(7)))] {
            let ended = EndedSession::new(firefox, began + time::Duration::milliseconds(3), by);
            let read = EndedSession::read(&ended.detail()).unwrap();
            assert_eq!(read, ended);
            assert_eq!((read.device.as_str(), read.began()), ("Firefox on Linux", Some(began)));
        }
        let longest = EndedSession::new(&"x\"\\".repeat(2000), began, Some(Handle(Uuid::nil())));
        assert!(longest.detail().chars().count() <= 400, "{}", longest.detail());
        for other in ["", "3 others", "3", "{}", "{\"device\":\"x\"}", "null"] {
            assert_eq!(EndedSession::read(other), None, "{other}");
        }
    }
}
