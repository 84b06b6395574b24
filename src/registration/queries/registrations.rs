//! Pending registrations.

use std::time::Duration;

use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::Error;
use uuid::Uuid;

use crate::db::schema::registrations;
use crate::db::{Fault, time};
use crate::identity::{Email, EmailKey, Name};
use crate::passwords::PasswordHash;
use crate::secret::{Token, TokenHash};

/// A registration with valid fields.
pub(crate) struct ParsedRegistration {
    pub name: Name,
    pub email: Email,
    pub hash: PasswordHash,
}

/// A registration whose address has just been verified.
#[derive(Queryable, Selectable)]
#[diesel(table_name = registrations, check_for_backend(diesel::pg::Pg))]
pub(crate) struct VerifiedRegistration {
    pub email: String,
    pub name: String,
    pub password_hash: String,
    pub invitation: Option<Uuid>,
}

/// Inserts the registration and, unless `keep`, rolls it back: for a taken address, so that both cases take the same time.
/// `browser`: the token of the browser that registers.
pub(crate) fn insert_registration(
    conn: &mut PgConnection,
    (token, browser): (&Token, &Token),
    person: &ParsedRegistration,
    invitation: Option<Uuid>,
    good_for: Duration,
    keep: bool,
) -> Result<(), Fault> {
    use registrations::dsl;
    diesel::delete(registrations::table.filter(dsl::expires_at.le(now))).execute(conn)?;
    let inserted = conn.transaction(|conn| {
        diesel::insert_into(registrations::table)
            .values((
                dsl::token_hash.eq(token.hash().as_slice()),
                dsl::email.eq(person.email.as_str()),
                dsl::email_key.eq(person.email.key().as_str()),
                dsl::name.eq(person.name.as_str()),
                dsl::password_hash.eq(person.hash.as_str()),
                dsl::invitation.eq(invitation),
                dsl::expires_at.eq(time::now() + time::interval(good_for)),
                dsl::browser.eq(browser.hash().as_slice()),
            ))
            .execute(conn)?;
        if keep { Ok(()) } else { Err(Error::RollbackTransaction) }
    });
    match inserted {
        Ok(()) | Err(Error::RollbackTransaction) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A registration whose link can still be used.
#[derive(Queryable)]
pub(crate) struct PendingRegistration {
    pub password_hash: String,
    /// Hash of the token of the browser that registered.
    pub browser: Option<Vec<u8>>,
}

/// The registration of a link that still works. Consumes nothing.
pub(crate) fn pending_registration(
    conn: &mut PgConnection,
    token_hash: &TokenHash,
) -> Result<Option<PendingRegistration>, Fault> {
    use registrations::dsl;
    Ok(registrations::table
        .filter(dsl::token_hash.eq(token_hash.as_slice()))
        .filter(dsl::expires_at.gt(now))
        .select((dsl::password_hash, dsl::browser))
        .first(conn)
        .optional()?)
}

/// Whether this call deleted it.
pub(crate) fn drop_registration(conn: &mut PgConnection, token_hash: &TokenHash) -> Result<bool, Fault> {
    use registrations::dsl;
    let row = registrations::table
        .filter(dsl::token_hash.eq(token_hash.as_slice()))
        .filter(dsl::expires_at.gt(now));
    Ok(diesel::delete(row).execute(conn)? == 1)
}

pub(crate) fn take_registration(
    conn: &mut PgConnection,
    token_hash: &[u8],
) -> Result<Option<VerifiedRegistration>, Fault> {
    use registrations::dsl;
    let key: Option<String> = registrations::table
        .filter(dsl::token_hash.eq(token_hash))
        .select(dsl::email_key)
        .first(conn)
        .optional()?;
    let Some(key) = key else { return Ok(None) };
    // Locks all registrations of the address in one order; otherwise parallel requests could deadlock.
    let _locked: Vec<Vec<u8>> = registrations::table
        .filter(dsl::email_key.eq(key))
        .order(dsl::token_hash)
        .for_update()
        .select(dsl::token_hash)
        .load(conn)?;
    Ok(diesel::delete(
        registrations::table.filter(dsl::token_hash.eq(token_hash)).filter(dsl::expires_at.gt(now)),
    )
    .returning(VerifiedRegistration::as_returning())
    .get_result(conn)
    .optional()?)
}

pub(crate) fn drop_registrations(conn: &mut PgConnection, email_key: &EmailKey) -> Result<(), Fault> {
    diesel::delete(registrations::table.filter(registrations::email_key.eq_any(email_key.spellings())))
        .execute(conn)?;
    Ok(())
}
