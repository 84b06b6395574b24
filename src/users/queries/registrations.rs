//! Single-use links: registrations, resets, setup, invitations. Consuming one is always one statement.

use std::time::Duration;

use diesel::dsl::now;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::result::Error;
use uuid::Uuid;

use crate::db::schema::registrations;
use crate::db::{Fault, time};
use crate::identity::EmailKey;
use crate::secret::{Token, TokenHash};
use crate::users::register::ParsedRegistration;

/// A registration whose address has just been proven.
#[derive(Queryable, Selectable)]
#[diesel(table_name = registrations, check_for_backend(diesel::pg::Pg))]
pub(crate) struct VerifiedRegistration {
    pub email: String,
    pub name: String,
    pub password_hash: String,
    pub invitation: Option<Uuid>,
}

/// Writes the registration and, unless `keep`, takes it back at once: for an address that is taken, so that both cases
/// take the same time. `browser`: what the browser that registered was given.
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

/// What the page behind the link has to know of a registration.
#[derive(Queryable)]
pub(crate) struct PendingRegistration {
    pub password_hash: String,
    /// Hash of what the browser that registered was given.
    pub browser: Option<Vec<u8>>,
}

/// The registration whose link this is, if the link still works; nothing is consumed.
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
    // All registrations of one address, in one order: their owners would else wait for each other.
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
