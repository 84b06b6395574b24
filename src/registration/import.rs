//! Import users with their password hashes from another system, in batches.

mod timestamp;

use crate::audit::{AuditAction, NewEvent};
use crate::db::Fault;
use crate::identity::{Client, Email, InvalidName, Name, Role};
use crate::passwords::{LegacyHash, LegacyHashError};
use crate::registration::queries::ImportedUser;
use crate::registration::{Registration, queries};

/// A user as another system exported them. No `Debug`: it contains a password hash.
#[derive(Default)]
pub struct ImportRow {
    pub email: String,
    /// If empty or an address: the part of `email` before the `@`.
    pub name: String,
    /// Empty, or beginning with `!` (Django), for a user without a password.
    pub password_hash: String,
    /// `member` if empty.
    pub role: String,
    /// RFC 3339 or a similar format (docs/moving-in.md); if empty, the time of the import.
    pub created_at: String,
}

/// Why a row cannot be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportError {
    Address,
    Name(InvalidName),
    Hash(LegacyHashError),
    Role,
    Admin,
    CreatedAt,
    /// Postgres cannot store it.
    Nul,
}

impl ImportedUser {
    /// Validates a row. The address counts as verified: the operator vouches for it.
    pub fn parse(from: &ImportRow, admins: bool) -> Result<Self, ImportError> {
        let ImportRow { email, name, password_hash, role, created_at } = from;
        if [email, name, password_hash, role, created_at].iter().any(|text| text.contains('\0')) {
            return Err(ImportError::Nul);
        }
        let email = Email::parse(email).map_err(|_| ImportError::Address)?;
        // Many systems export the address if the name is missing.
        let is_missing = name.trim().is_empty() || Email::parse(name).is_ok();
        let given = if is_missing { before_at(email.as_str()) } else { name };
        let name = Name::parse(given).map_err(ImportError::Name)?;
        let role = match role.trim() {
            "" => Role::Member,
            text => Role::parse(text).ok_or(ImportError::Role)?,
        };
        if role == Role::Admin && !admins {
            return Err(ImportError::Admin);
        }
        let password_hash = match password_hash.as_str() {
            "" => None,
            unusable if unusable.starts_with('!') => None,
            text => Some(LegacyHash::read(text).map_err(ImportError::Hash)?.stored_form(text)),
        };
        let created_at = match created_at.trim() {
            "" => None,
            text => Some(timestamp::parse(text).ok_or(ImportError::CreatedAt)?),
        };
        Ok(Self { email, name, role, password_hash, created_at })
    }

    pub fn has_password(&self) -> bool {
        self.password_hash.is_some()
    }
}

fn before_at(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(local, _)| local)
}

impl Registration {
    /// Inserts the users whose address is not taken, with an audit event for each, in one transaction. Returns for each,
    /// in order, whether it was inserted. `dry`: only checks whether the address is free.
    ///
    /// Sends no mail, and changes no existing account.
    pub async fn import(&self, batch: Vec<ImportedUser>, dry: bool) -> Result<Vec<bool>, Fault> {
        if dry {
            return self.db.read(move |conn| queries::free_addresses(conn, &batch)).await;
        }
        self.db
            .write(move |conn| {
                let free = queries::free_addresses(conn, &batch)?;
                let mut sorted: Vec<&ImportedUser> =
                    batch.iter().zip(free).filter_map(|(imported, free)| free.then_some(imported)).collect();
                // Sorted, so that parallel imports lock in the same order. The sort is stable: of two rows with one
                // address, the first is inserted.
                sorted.sort_by_key(|imported| imported.key().as_str());
                let mut made = queries::insert_imported_users(conn, &sorted)?;
                sorted.retain(|imported| made.contains_key(imported.key()));
                queries::drop_registrations_of(conn, &sorted)?;
                let client = Client::operator();
                let mut new = Vec::with_capacity(batch.len());
                for imported in &batch {
                    let user = made.remove(imported.key());
                    if let Some(user) = user {
                        NewEvent::by_admin(AuditAction::Imported, None, user, &client).write(conn)?;
                    }
                    new.push(user.is_some());
                }
                Ok(new)
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BCRYPT: &str = "$2b$12$yg6qd2J5YKpN4ulo14FAFuoBVTA0x65j4xMMV2movD4uQgdKZrRe2";

    fn ada() -> ImportRow {
        ImportRow { email: "Ada@example.org".into(), password_hash: BCRYPT.into(), ..ImportRow::default() }
    }

    fn import_error(from: ImportRow) -> Option<ImportError> {
        ImportedUser::parse(&from, false).err()
    }

    #[test]
    fn omitted_fields_have_defaults() {
        let parsed = ImportedUser::parse(&ada(), false).ok().unwrap();
        assert_eq!(
            (parsed.key().as_str(), parsed.name.as_str(), parsed.role),
            ("ada@example.org", "Ada", Role::Member)
        );
        assert!(parsed.created_at.is_none() && parsed.password_hash.as_deref() == Some(BCRYPT));
        for none in ["", "!", "!Vx8a"] {
            let parsed = ImportedUser::parse(&ImportRow { password_hash: none.into(), ..ada() }, false);
            assert!(!parsed.ok().unwrap().has_password());
        }
    }

    #[test]
    fn every_field_is_validated() {
        assert_eq!(import_error(ImportRow { email: "ada".into(), ..ada() }), Some(ImportError::Address));
        assert_eq!(
            import_error(ImportRow { name: "x".repeat(81), ..ada() }),
            Some(ImportError::Name(InvalidName::TooLong { max: 80 }))
        );
        assert_eq!(import_error(ImportRow { role: "root".into(), ..ada() }), Some(ImportError::Role));
        assert_eq!(import_error(ImportRow { role: "admin".into(), ..ada() }), Some(ImportError::Admin));
        assert!(ImportedUser::parse(&ImportRow { role: "admin".into(), ..ada() }, true).is_ok());
        let md5 = "5f4dcc3b5aa765d61d8327deb882cf99".to_owned();
        assert_eq!(
            import_error(ImportRow { password_hash: md5, ..ada() }),
            Some(ImportError::Hash(LegacyHashError::Unknown))
        );
        for field in 0..5 {
            let mut from = ada();
            let fields = [
                &mut from.email,
                &mut from.name,
                &mut from.password_hash,
                &mut from.role,
                &mut from.created_at,
            ];
            fields.into_iter().nth(field).unwrap().push('\0');
            assert_eq!(import_error(from), Some(ImportError::Nul));
        }
    }

    proptest! {
        #[test]
        fn no_row_makes_parsing_panic(fields in any::<[String; 5]>(), admins in any::<bool>()) {
            let [email, name, password_hash, role, created_at] = fields;
            let _ = ImportedUser::parse(&ImportRow { email, name, password_hash, role, created_at }, admins);
        }
    }
}
