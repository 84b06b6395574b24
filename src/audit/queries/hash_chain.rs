//! Reads the hash chain for verification. Only triggers write it.

use diesel::dsl::exists;
use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::chain::{ChainHead, ErasedUser};
use crate::audit::events::AuditAction;
use crate::db::Fault;
use crate::db::schema::{audit_chain, audit_checkpoints, audit_events, users};
use crate::identity::UserId;

/// A link with its event, if the event exists.
#[derive(Queryable)]
pub(crate) struct ChainLink {
    pub seq: i64,
    pub event_id: i64,
    pub salt: Option<Vec<u8>>,
    pub personal: Vec<u8>,
    pub hash: Vec<u8>,
    pub event: Option<LinkedEvent>,
    /// The event is about a deleted user, so its personal data may be erased.
    pub may_be_erased: bool,
}

#[derive(Queryable)]
pub(crate) struct LinkedEvent {
    pub id: i64,
    pub at: OffsetDateTime,
    pub act: String,
    pub actor: Option<Uuid>,
    pub subject: Option<Uuid>,
    pub session: Option<Uuid>,
    pub address: String,
    pub user_agent: String,
    pub detail: String,
}

const ERASABLE: &str = "audit_events.id IS NOT NULL AND audit_chain.salt IS NULL AND (audit_events.act IN ('invited', 'invitation-withdrawn') \
     OR EXISTS (SELECT FROM audit_events gone WHERE gone.act = 'deleted' AND gone.subject IN (audit_events.actor, audit_events.subject)))";

/// The links after `seq`, in order.
pub(crate) fn links_after(conn: &mut PgConnection, seq: i64, limit: i64) -> Result<Vec<ChainLink>, Fault> {
    let event = (
        audit_events::id,
        audit_events::at,
        audit_events::act,
        audit_events::actor,
        audit_events::subject,
        audit_events::session,
        audit_events::address,
        audit_events::user_agent,
        audit_events::detail,
    );
    Ok(audit_chain::table
        .left_join(audit_events::table.on(audit_events::id.eq(audit_chain::event_id)))
        .filter(audit_chain::seq.gt(seq))
        .order(audit_chain::seq)
        .limit(limit)
        .select((
            audit_chain::seq,
            audit_chain::event_id,
            audit_chain::salt,
            audit_chain::personal,
            audit_chain::hash,
            event.nullable(),
            sql::<Bool>(ERASABLE),
        ))
        .load(conn)?)
}

/// The events after `id`, in order, each with whether it has a link.
pub(crate) fn linked_after(conn: &mut PgConnection, id: i64, limit: i64) -> Result<Vec<(i64, bool)>, Fault> {
    let linked = exists(audit_chain::table.filter(audit_chain::event_id.eq(audit_events::id)));
    Ok(audit_events::table
        .filter(audit_events::id.gt(id))
        .order(audit_events::id)
        .limit(limit)
        .select((audit_events::id, linked))
        .load(conn)?)
}

/// Users who exist although there is a `deleted` event about them, the oldest event first. Triggers prevent this, so the
/// database was restored from an older snapshot, or a role that may change triggers did it.
pub(crate) fn erased_users(conn: &mut PgConnection, limit: i64) -> Result<Vec<ErasedUser>, Fault> {
    let rows: Vec<(Uuid, String, i64)> = audit_events::table
        .inner_join(users::table.on(audit_events::subject.eq(users::id.nullable())))
        .filter(audit_events::act.eq(AuditAction::Deleted.as_str()))
        .order(audit_events::id)
        .limit(limit)
        .select((users::id, users::email, audit_events::id))
        .load(conn)?;
    Ok(rows.into_iter().map(|(id, email, event)| ErasedUser { id: UserId(id), email, event }).collect())
}

/// The checkpoint that the first link follows; `None` if the chain begins at its start.
pub(crate) fn chain_start(conn: &mut PgConnection) -> Result<Option<ChainHead>, Fault> {
    let first: Option<i64> = audit_chain::table.select(diesel::dsl::min(audit_chain::seq)).first(conn)?;
    let mut before = audit_checkpoints::table.into_boxed();
    if let Some(first) = first {
        before = before.filter(audit_checkpoints::seq.lt(first));
    }
    let found: Option<(i64, Vec<u8>)> = before
        .order(audit_checkpoints::seq.desc())
        .select((audit_checkpoints::seq, audit_checkpoints::hash))
        .first(conn)
        .optional()?;
    Ok(found.map(|(seq, hash)| ChainHead { seq, hash }))
}

/// The last link, or the last checkpoint if every link was purged.
pub(crate) fn chain_head(conn: &mut PgConnection) -> Result<Option<ChainHead>, Fault> {
    let last: Option<(i64, Vec<u8>)> = audit_chain::table
        .order(audit_chain::seq.desc())
        .select((audit_chain::seq, audit_chain::hash))
        .first(conn)
        .optional()?;
    match last {
        Some((seq, hash)) => Ok(Some(ChainHead { seq, hash })),
        None => chain_start(conn),
    }
}

/// The hash of link or checkpoint number `seq`.
pub(crate) fn chain_at(conn: &mut PgConnection, seq: i64) -> Result<Option<Vec<u8>>, Fault> {
    let link = audit_chain::table.find(seq).select(audit_chain::hash).first(conn).optional()?;
    match link {
        None => {
            Ok(audit_checkpoints::table.find(seq).select(audit_checkpoints::hash).first(conn).optional()?)
        }
        link => Ok(link),
    }
}
