//! What the server stores of a run, as its page shows it.

use diesel::prelude::{Queryable, Selectable};

use crate::db::time::Moment;
use latchkey_sessions::schema::sessions as session_rows;

/// A lab session, as the table stores it.
#[derive(Queryable, Selectable)]
#[diesel(table_name = session_rows, check_for_backend(diesel::pg::Pg))]
pub struct SessionRow {
    pub key_hash: Vec<u8>,
    pub created_at: Moment,
    pub last_seen_at: Moment,
    pub expires_at: Moment,
    pub revoked_at: Option<Moment>,
}

/// A token, as its issuer recorded it.
pub struct TokenRow {
    pub id: String,
    pub kind: String,
    pub used_at: Option<Moment>,
    pub denied_at: Option<Moment>,
}
