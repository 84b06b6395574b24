//! The table of `users.sql`, for Diesel.

diesel::table! {
    users (id) {
        id -> Uuid,
        name -> Text,
        token_hash -> Bytea,
    }
}

diesel::define_sql_function!(fn sha256(token: diesel::sql_types::Binary) -> diesel::sql_types::Binary);
latchkey_sessions::joinable_with_sessions!(users);
