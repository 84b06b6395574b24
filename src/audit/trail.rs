//! The audit trail for programs that copy it: in the order of the hash chain, starting after any link.

use crate::audit::events::Event;
use crate::db::time::Moment;
use crate::identity::UserId;
use latchkey_sessions::Handle;

/// An event with its position in the hash chain.
#[derive(Clone, Debug)]
pub struct LinkedRecord {
    /// The number of its link. Numbers are assigned in the order of commits, without gaps.
    pub seq: i64,
    /// The stored action, even if this version does not know it.
    pub act: String,
    pub session: Option<Handle>,
    pub event: Event,
}

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct TrailFilter {
    pub act: Option<String>,
    pub actor: Option<UserId>,
    pub subject: Option<UserId>,
    /// From this time on.
    pub from: Option<Moment>,
    /// Before this time.
    pub to: Option<Moment>,
}
