//! All SQL of the outbox.

use std::time::Duration;

use ::time::OffsetDateTime;
use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use crate::db::schema::outbox::{self, dsl};
use crate::db::{Fault, time};
use crate::mail::content::MailContent;
use crate::secret::Secret;

/// The purpose under which bodies are encrypted.
pub(super) const SEAL_PURPOSE: &str = "outbox";

/// The recipient of a decoy. The sender deletes the row, and lists leave it out.
pub(super) const NO_RECIPIENT: &str = "";

/// A row of the outbox; its body is still encrypted.
#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox, check_for_backend(diesel::pg::Pg))]
pub(super) struct OutboxRow {
    pub id: Uuid,
    pub recipient: String,
    pub subject: String,
    pub sealed_body: Option<Vec<u8>>,
    pub created_at: OffsetDateTime,
    pub attempts: i32,
}

impl OutboxRow {
    pub fn is_decoy(&self) -> bool {
        self.recipient == NO_RECIPIENT
    }
}

pub(super) fn insert(
    conn: &mut PgConnection,
    secret: &Secret,
    to: &str,
    content: &MailContent,
    good_for: Duration,
) -> Result<(), Fault> {
    let id = Uuid::new_v4();
    let plain = serde_json::to_vec(&content.body).map_err(Fault::bug)?;
    let sealed = secret.seal(SEAL_PURPOSE, id.as_bytes(), &plain).map_err(Fault::bug)?;
    diesel::insert_into(outbox::table)
        .values((
            dsl::id.eq(id),
            dsl::recipient.eq(to),
            dsl::subject.eq(&content.subject),
            dsl::sealed_body.eq(sealed),
            dsl::expires_at.eq(time::now() + time::interval(good_for)),
        ))
        .execute(conn)?;
    Ok(())
}

diesel::define_sql_function! { fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text; }

pub(super) fn delete_to(conn: &mut PgConnection, recipient: &[&str]) -> QueryResult<usize> {
    diesel::delete(outbox::table.filter(lower(dsl::recipient).eq_any(recipient))).execute(conn)
}

/// Claims up to `limit` due emails for `lease`. If this instance dies, another one delivers them afterwards.
pub(super) fn claim(conn: &mut PgConnection, limit: i64, lease: Duration) -> QueryResult<Vec<OutboxRow>> {
    let due: Vec<Uuid> = outbox::table
        .filter(dsl::sent_at.is_null())
        .filter(dsl::sealed_body.is_not_null())
        .filter(dsl::next_attempt_at.le(now))
        .filter(dsl::expires_at.gt(now))
        .order(dsl::next_attempt_at)
        .limit(limit)
        .for_update()
        .skip_locked()
        .select(dsl::id)
        .load(conn)?;
    diesel::update(outbox::table.filter(dsl::id.eq_any(due)))
        .set((
            dsl::attempts.eq(dsl::attempts + 1),
            dsl::next_attempt_at.eq(time::now() + time::interval(lease)),
        ))
        .returning(OutboxRow::as_returning())
        .get_results(conn)
}

/// Deletes the body of a delivered email, unless the mailbox page shows it.
pub(super) fn mark_sent(conn: &mut PgConnection, id: Uuid, keep_body: bool) -> QueryResult<usize> {
    let row = outbox::table.filter(dsl::id.eq(id));
    if keep_body {
        return diesel::update(row).set(dsl::sent_at.eq(now)).execute(conn);
    }
    diesel::update(row).set((dsl::sent_at.eq(now), dsl::sealed_body.eq(None::<Vec<u8>>))).execute(conn)
}

pub(super) fn mark_failed(
    conn: &mut PgConnection,
    id: Uuid,
    error: &str,
    retry_in: Duration,
) -> QueryResult<usize> {
    diesel::update(outbox::table.filter(dsl::id.eq(id)))
        .set((dsl::last_error.eq(error), dsl::next_attempt_at.eq(time::now() + time::interval(retry_in))))
        .execute(conn)
}

/// Deletes a claimed decoy.
pub(super) fn drop_decoy(conn: &mut PgConnection, id: Uuid) -> QueryResult<usize> {
    diesel::delete(outbox::table.filter(dsl::id.eq(id)).filter(dsl::recipient.eq(NO_RECIPIENT))).execute(conn)
}

/// Deletes the body of an email that cannot be delivered, because it contains a live link.
pub(super) fn mark_refused(conn: &mut PgConnection, id: Uuid, error: &str) -> QueryResult<usize> {
    diesel::update(outbox::table.filter(dsl::id.eq(id)))
        .set((dsl::last_error.eq(error), dsl::sealed_body.eq(None::<Vec<u8>>)))
        .execute(conn)
}

/// How many unexpired emails were written more than `late` ago and are not delivered, and when the oldest was written.
pub(super) fn stuck(conn: &mut PgConnection, late: Duration) -> QueryResult<(i64, Option<OffsetDateTime>)> {
    outbox::table
        .filter(dsl::sent_at.is_null())
        .filter(dsl::sealed_body.is_not_null())
        .filter(dsl::expires_at.gt(now))
        .filter(dsl::created_at.lt(time::now() - time::interval(late)))
        .select((diesel::dsl::count_star(), diesel::dsl::min(dsl::created_at)))
        .first(conn)
}

/// Encrypted bodies, `most` of them at most.
pub(super) fn sealed(conn: &mut PgConnection, most: i64) -> QueryResult<Vec<Option<Vec<u8>>>> {
    outbox::table.filter(dsl::sealed_body.is_not_null()).limit(most).select(dsl::sealed_body).load(conn)
}

/// Deletes the bodies of expired emails, and the rows of emails that expired more than `keep` ago.
pub(super) fn purge(conn: &mut PgConnection, keep: Duration, at_once: i64) -> QueryResult<usize> {
    diesel::update(
        outbox::table
            .filter(dsl::sent_at.is_null())
            .filter(dsl::sealed_body.is_not_null())
            .filter(dsl::expires_at.le(now)),
    )
    .set(dsl::sealed_body.eq(None::<Vec<u8>>))
    .execute(conn)?;
    let old: Vec<Uuid> = outbox::table
        .filter(dsl::expires_at.lt(time::now() - time::interval(keep)))
        .limit(at_once)
        .for_update()
        .skip_locked()
        .select(dsl::id)
        .load(conn)?;
    if old.is_empty() {
        return Ok(0);
    }
    diesel::delete(outbox::table.filter(dsl::id.eq_any(old))).execute(conn)
}

pub(super) fn latest(conn: &mut PgConnection, limit: i64) -> QueryResult<Vec<OutboxRow>> {
    outbox::table
        .filter(dsl::recipient.ne(NO_RECIPIENT))
        .order((dsl::created_at.desc(), dsl::id))
        .limit(limit)
        .select(OutboxRow::as_select())
        .load(conn)
}

pub(super) fn by_id(conn: &mut PgConnection, id: Uuid) -> QueryResult<Option<OutboxRow>> {
    outbox::table
        .filter(dsl::id.eq(id))
        .filter(dsl::recipient.ne(NO_RECIPIENT))
        .select(OutboxRow::as_select())
        .first(conn)
        .optional()
}
