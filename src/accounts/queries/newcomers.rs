//! People from elsewhere, many at a time.

use std::collections::{HashMap, HashSet};

use diesel::pg::PgConnection;
use diesel::prelude::*;
use uuid::Uuid;

use crate::accounts::UserId;
use crate::accounts::import::Newcomer;
use crate::accounts::password::PasswordHash;
use crate::db::Fault;
use crate::db::schema::registrations;
use crate::db::schema::users::{self, dsl};

/// For each, whether their address is free: neither registered nor kept for an account.
pub(in crate::accounts) fn free_addresses(
    conn: &mut PgConnection,
    batch: &[Newcomer],
) -> Result<Vec<bool>, Fault> {
    let keys: Vec<&str> = batch.iter().map(Newcomer::key).collect();
    let taken: Vec<String> =
        users::table.filter(dsl::email_key.eq_any(&keys)).select(dsl::email_key).load(conn)?;
    let mut taken: HashSet<String> = taken.into_iter().collect();
    taken.extend(super::reserved_among(conn, &keys)?);
    Ok(keys.into_iter().map(|key| !taken.contains(key)).collect())
}

/// Whoever's address is free, in this order; by the key of their address.
pub(in crate::accounts) fn insert_newcomers(
    conn: &mut PgConnection,
    batch: &[&Newcomer],
) -> Result<HashMap<String, UserId>, Fault> {
    let rows: Vec<_> = batch
        .iter()
        .map(|newcomer| {
            (
                dsl::email.eq(newcomer.email.as_str()),
                dsl::email_key.eq(newcomer.email.key()),
                dsl::name.eq(newcomer.name.as_str()),
                dsl::role.eq(newcomer.role.as_str()),
                dsl::password_hash.eq(newcomer.password_hash.as_deref()),
                newcomer.created_at.map(|at| dsl::created_at.eq(at)),
            )
        })
        .collect();
    let made: Vec<(String, Uuid)> = diesel::insert_into(users::table)
        .values(rows)
        .on_conflict(dsl::email_key)
        .do_nothing()
        .returning((dsl::email_key, dsl::id))
        .get_results(conn)?;
    let mut made: HashMap<String, UserId> = made.into_iter().map(|(key, id)| (key, UserId(id))).collect();
    // Asked after the insert: only then have others who had one of the addresses committed.
    let keys: Vec<&str> = made.keys().map(String::as_str).collect();
    let reserved = super::reserved_among(conn, &keys)?;
    let undone: Vec<Uuid> = reserved.iter().filter_map(|key| made.remove(key)).map(|user| user.0).collect();
    if !undone.is_empty() {
        diesel::delete(users::table.filter(dsl::id.eq_any(undone))).execute(conn)?;
    }
    Ok(made)
}

/// Whoever was about to register with one of these addresses is registered now.
pub(in crate::accounts) fn drop_registrations_of<'a>(
    conn: &mut PgConnection,
    keys: impl Iterator<Item = &'a String>,
) -> Result<(), Fault> {
    let keys: Vec<&String> = keys.collect();
    diesel::delete(registrations::table.filter(registrations::email_key.eq_any(keys))).execute(conn)?;
    Ok(())
}

/// Some password hash that is kept, always the same one for the same `at` while it is: the first from there on.
pub(in crate::accounts) fn stand_in(
    conn: &mut PgConnection,
    at: Uuid,
) -> Result<Option<PasswordHash>, Fault> {
    let hashes = || {
        users::table
            .filter(dsl::password_hash.is_not_null())
            .order(dsl::id)
            .select(dsl::password_hash.assume_not_null())
            .into_boxed()
    };
    let found: Option<String> = hashes().filter(dsl::id.ge(at)).first(conn).optional()?;
    let found = match found {
        Some(hash) => Some(hash),
        None => hashes().first(conn).optional()?,
    };
    Ok(found.map(PasswordHash::stored))
}
