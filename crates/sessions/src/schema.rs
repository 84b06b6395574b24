// @generated automatically by Diesel CLI.

diesel::table! {
    listeners (id) {
        id -> Uuid,
        gone -> Bool,
        since -> Timestamptz,
    }
}

diesel::table! {
    session_keys (key_hash) {
        key_hash -> Bytea,
        session -> Uuid,
        scope -> Uuid,
        origin -> Text,
        proved_at -> Timestamptz,
        created_at -> Timestamptz,
        last_seen_at -> Timestamptz,
    }
}

diesel::table! {
    sessions (key_hash) {
        key_hash -> Bytea,
        handle -> Uuid,
        principal -> Uuid,
        state -> Jsonb,
        remember -> Bool,
        factor -> Text,
        address -> Text,
        user_agent -> Text,
        created_at -> Timestamptz,
        confirmed_at -> Timestamptz,
        last_seen_at -> Timestamptz,
        expires_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        kind -> Text,
        device -> Nullable<Bytea>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(listeners, session_keys, sessions,);
