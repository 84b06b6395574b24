//! Reads many rows with one query, so that an invalid row fails alone.

use std::collections::HashMap;

use diesel::pg::PgConnection;
use latchkey_db::Fault;

use super::KeyHash;

/// What was found for each key.
pub(super) type LoadedRows<T> = HashMap<KeyHash, Result<T, Fault>>;

/// One query for all `keys`. If a row cannot be read, the others are read without it.
pub(super) fn load_each<T>(
    conn: &mut PgConnection,
    keys: &[KeyHash],
    load: fn(&mut PgConnection, &[KeyHash]) -> Result<Vec<T>, Fault>,
    key_of: fn(&T) -> KeyHash,
) -> Result<LoadedRows<T>, Fault> {
    match load(conn, keys) {
        Err(fault @ Fault::Bug(_)) => match keys {
            [key] => Ok(LoadedRows::from([(*key, Err(fault))])),
            _ => {
                let mut found = LoadedRows::new();
                for key in keys {
                    found.extend(load_each(conn, &[*key], load, key_of)?);
                }
                Ok(found)
            }
        },
        found => Ok(found?.into_iter().map(|row| (key_of(&row), Ok(row))).collect()),
    }
}
