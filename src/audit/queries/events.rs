//! Writing and reading events.

use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Array;
use diesel::sql_types::Bool;
use diesel::sql_types::Text;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::acting_token;
use crate::audit::events::{AuditAction, Event, NewEvent};
use crate::audit::trail::{LinkedRecord, TrailFilter};
use crate::db::Fault;
use crate::db::schema::audit_events::{self, dsl};
use crate::db::schema::{audit_chain, users};
use crate::identity::queries::{containing, containing_address};
use crate::identity::{Agent, UserId};
use latchkey_sessions::Handle;

pub(crate) fn insert_event(conn: &mut PgConnection, event: &NewEvent<'_>) -> Result<(), Fault> {
    let printable = |text: &str| text.chars().filter(|c| *c != '\0').take(400).collect::<String>();
    let (address, user_agent) = event.client.recorded();
    let detail = event.detail.replace('\0', "");
    let detail = match &event.client.token {
        Some(token) => acting_token::join(&detail, token),
        None => detail,
    };
    diesel::insert_into(audit_events::table)
        .values((
            dsl::act.eq(event.action.as_str()),
            dsl::actor.eq(event.actor.map(|user| user.0)),
            dsl::subject.eq(event.subject.map(|user| user.0)),
            dsl::session.eq(event.session.map(|handle| handle.0)),
            dsl::address.eq(printable(address)),
            dsl::user_agent.eq(printable(user_agent)),
            dsl::detail.eq(detail),
        ))
        .execute(conn)?;
    Ok(())
}

/// The columns of an event, with the names of actor and subject.
type EventColumns = (
    OffsetDateTime,
    String,
    (Option<Uuid>, Option<String>),
    (Option<Uuid>, Option<String>),
    String,
    String,
    String,
);

/// The events about `subject`, or about all users, and how many match in all. `q` searches the action, the IP address,
/// and the names and email addresses of actor and subject.
pub(crate) fn events(
    conn: &mut PgConnection,
    subject: Option<UserId>,
    q: Option<&str>,
    limit: i64,
    offset: i64,
) -> Result<(Vec<Event>, i64), Fault> {
    let actors = diesel::alias!(users as actors);
    let matching = || {
        let mut rows = audit_events::table
            .left_join(users::table.on(dsl::subject.eq(users::id.nullable())))
            .left_join(actors.on(dsl::actor.eq(actors.field(users::id).nullable())))
            .into_boxed();
        if let Some(subject) = subject {
            rows = rows.filter(dsl::subject.eq(subject.0));
        }
        if let Some(q) = q.filter(|q| !q.is_empty()) {
            let like = containing(q);
            rows = rows.filter(
                dsl::act.ilike(like.clone()).or(dsl::address.ilike(like)).or(sql::<Bool>(
                    "(coalesce(users.name || ' ' || users.email ILIKE ANY (",
                )
                .bind::<Array<Text>, _>(containing_address(q).to_vec())
                .sql("), false) OR coalesce(actors.name || ' ' || actors.email ILIKE ANY (")
                .bind::<Array<Text>, _>(containing_address(q).to_vec())
                .sql("), false))")),
            );
        }
        rows
    };
    let total = matching().count().get_result(conn)?;
    let rows: Vec<EventColumns> = matching()
        .order(dsl::id.desc())
        .limit(limit)
        .offset(offset)
        .select((
            dsl::at,
            dsl::act,
            (dsl::actor, actors.field(users::name).nullable()),
            (dsl::subject, users::name.nullable()),
            dsl::address,
            dsl::user_agent,
            dsl::detail,
        ))
        .load(conn)?;
    Ok((rows.into_iter().map(event).collect(), total))
}

fn event(
    (at, act, (actor, actor_name), (subject, subject_name), address, user_agent, detail): EventColumns,
) -> Event {
    let (detail, token) = acting_token::split(detail);
    Event {
        at,
        action: AuditAction::parse(&act),
        actor: actor.map(UserId),
        actor_name,
        subject: subject.map(UserId),
        subject_name,
        agent: Agent::stored(&address, user_agent),
        address,
        token,
        detail,
    }
}

/// The events after the link `after` of the hash chain, in the order of their commits: an event that is committed later
/// comes later here, even if its id is lower.
pub(crate) fn linked_events(
    conn: &mut PgConnection,
    filter: &TrailFilter,
    after: i64,
    limit: i64,
) -> Result<Vec<LinkedRecord>, Fault> {
    let actors = diesel::alias!(users as actors);
    let mut rows = audit_events::table
        .inner_join(audit_chain::table.on(audit_chain::event_id.eq(dsl::id)))
        .left_join(users::table.on(dsl::subject.eq(users::id.nullable())))
        .left_join(actors.on(dsl::actor.eq(actors.field(users::id).nullable())))
        .filter(audit_chain::seq.gt(after))
        .order(audit_chain::seq)
        .limit(limit)
        .select((
            audit_chain::seq,
            dsl::act,
            dsl::session,
            (
                dsl::at,
                dsl::act,
                (dsl::actor, actors.field(users::name).nullable()),
                (dsl::subject, users::name.nullable()),
                dsl::address,
                dsl::user_agent,
                dsl::detail,
            ),
        ))
        .into_boxed();
    if let Some(act) = &filter.act {
        rows = rows.filter(dsl::act.eq(act.clone()));
    }
    if let Some(actor) = filter.actor {
        rows = rows.filter(dsl::actor.eq(actor.0));
    }
    if let Some(subject) = filter.subject {
        rows = rows.filter(dsl::subject.eq(subject.0));
    }
    if let Some(from) = filter.from {
        rows = rows.filter(dsl::at.ge(from));
    }
    if let Some(to) = filter.to {
        rows = rows.filter(dsl::at.lt(to));
    }
    let found: Vec<(i64, String, Option<Uuid>, EventColumns)> = rows.load(conn)?;
    let record = |(seq, act, session, columns): (i64, String, Option<Uuid>, EventColumns)| LinkedRecord {
        seq,
        act,
        session: session.map(Handle),
        event: event(columns),
    };
    Ok(found.into_iter().map(record).collect())
}
