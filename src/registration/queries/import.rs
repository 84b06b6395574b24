//! Import of users, in batches.

use std::collections::HashMap;
use std::collections::HashSet;

use diesel::pg::PgConnection;
use diesel::prelude::*;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::db::Fault;
use crate::db::schema::registrations;
use crate::db::schema::users::{self, dsl};
use crate::identity::queries::mailbox;
use crate::identity::{Email, EmailKey, Name, Role, UserId};

/// A row that can be imported.
pub struct ImportedUser {
    pub(crate) email: Email,
    pub(crate) name: Name,
    pub(crate) role: Role,
    pub(crate) password_hash: Option<String>,
    pub(crate) created_at: Option<OffsetDateTime>,
}

impl ImportedUser {
    /// What addresses are compared by.
    pub fn key(&self) -> &EmailKey {
        self.email.key()
    }
}

/// For each, whether the address is free: neither taken nor reserved for an account.
pub(crate) fn free_addresses(conn: &mut PgConnection, batch: &[ImportedUser]) -> Result<Vec<bool>, Fault> {
    let spellings: Vec<&str> = batch.iter().flat_map(|imported| imported.key().spellings()).collect();
    let taken: Vec<String> =
        users::table.filter(mailbox().eq_any(&spellings)).select(mailbox()).load(conn)?;
    let mut taken: HashSet<String> = taken.into_iter().collect();
    taken.extend(crate::registration::queries::addresses::reserved_among(conn, &spellings)?);
    let is_free =
        |imported: &ImportedUser| !imported.key().spellings().iter().any(|text| taken.contains(*text));
    Ok(batch.iter().map(is_free).collect())
}

/// Inserts the users whose address is free, in this order. Returns the inserted users by the key of the address.
pub(crate) fn insert_imported_users(
    conn: &mut PgConnection,
    batch: &[&ImportedUser],
) -> Result<HashMap<EmailKey, UserId>, Fault> {
    if batch.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<_> = batch
        .iter()
        .map(|imported| {
            (
                dsl::email.eq(imported.email.as_str()),
                dsl::email_key.eq(imported.key().as_typed()),
                dsl::email_idn_key.eq(imported.key().idn()),
                dsl::name.eq(imported.name.as_str()),
                dsl::role.eq(imported.role.as_str()),
                dsl::password_hash.eq(imported.password_hash.as_deref()),
                imported.created_at.map(|at| dsl::created_at.eq(at)),
            )
        })
        .collect();
    let made: Vec<(Uuid, String)> = diesel::insert_into(users::table)
        .values(rows)
        .on_conflict_do_nothing()
        .returning((dsl::id, dsl::email))
        .get_results(conn)?;
    let mut made: HashMap<EmailKey, UserId> =
        made.into_iter().map(|(id, email)| (Email::stored(&email).key().clone(), UserId(id))).collect();
    // Checked after the insert, which waits until transactions that release one of the addresses have committed.
    let spellings: Vec<&str> = made.keys().flat_map(EmailKey::spellings).collect();
    let reserved = crate::registration::queries::addresses::reserved_among(conn, &spellings)?;
    let is_reserved =
        |key: &EmailKey| key.spellings().iter().any(|text| reserved.iter().any(|kept| kept == text));
    let undone: Vec<Uuid> = made.extract_if(|key, _| is_reserved(key)).map(|(_, user)| user.0).collect();
    if !undone.is_empty() {
        diesel::delete(users::table.filter(dsl::id.eq_any(undone))).execute(conn)?;
    }
    Ok(made)
}

/// Deletes the pending registrations for these addresses.
pub(crate) fn drop_registrations_of(conn: &mut PgConnection, made: &[&ImportedUser]) -> Result<(), Fault> {
    let keys: Vec<&str> = made.iter().flat_map(|imported| imported.key().spellings()).collect();
    diesel::delete(registrations::table.filter(registrations::email_key.eq_any(keys))).execute(conn)?;
    Ok(())
}
