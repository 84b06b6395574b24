//! Writes an event, in the transaction of the change.

use diesel::pg::PgConnection;

use crate::audit::events::NewEvent;
use crate::audit::queries;
use crate::db::Fault;

impl NewEvent<'_> {
    pub fn write(self, conn: &mut PgConnection) -> Result<(), Fault> {
        queries::insert_event(conn, &self)
    }
}
