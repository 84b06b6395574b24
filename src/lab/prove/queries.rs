//! All SQL of the test database.

use diesel::connection::SimpleConnection as _;
use diesel::pg::PgConnection;
use diesel::sql_types::Bool;
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};

use crate::db::Fault;

#[derive(QueryableByName)]
struct MayCreate {
    #[diesel(sql_type = Bool)]
    may_create: bool,
}

/// Whether the current role may create databases.
pub fn may_create_database(conn: &mut PgConnection) -> Result<bool, Fault> {
    let row: MayCreate =
        sql_query("SELECT rolsuper OR rolcreatedb AS may_create FROM pg_roles WHERE rolname = current_user")
            .get_result(conn)?;
    Ok(row.may_create)
}

/// `name` must be an identifier that needs no quoting.
pub fn create_database(conn: &mut PgConnection, name: &str) -> Result<(), Fault> {
    Ok(conn.batch_execute(&format!("CREATE DATABASE {name}"))?)
}

/// Disconnects every client of the database first.
pub fn drop_database(conn: &mut PgConnection, name: &str) -> Result<(), Fault> {
    Ok(conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?)
}
