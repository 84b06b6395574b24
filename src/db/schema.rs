// @generated automatically by Diesel CLI.

diesel::table! {
    account_links (token_hash) {
        token_hash -> Bytea,
        user_id -> Uuid,
        purpose -> Text,
        session -> Nullable<Uuid>,
        browser -> Nullable<Bytea>,
        email -> Nullable<Text>,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        since -> Nullable<Timestamptz>,
        email_key -> Nullable<Text>,
    }
}

diesel::table! {
    app_entries (code_hash) {
        code_hash -> Bytea,
        session -> Uuid,
        app -> Uuid,
        origin -> Text,
        state_hash -> Bytea,
        path -> Text,
        proved_at -> Timestamptz,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    app_origins (origin) {
        origin -> Text,
        app -> Uuid,
        host -> Text,
        position -> Int4,
    }
}

diesel::table! {
    app_rules (app, position) {
        app -> Uuid,
        position -> Int4,
        methods -> Array<Nullable<Text>>,
        path_kind -> Text,
        path -> Nullable<Text>,
        networks -> Array<Nullable<Text>>,
        access -> Text,
        groups -> Array<Nullable<Text>>,
        users -> Array<Nullable<Uuid>>,
        role -> Nullable<Text>,
        factor -> Text,
        fresh_seconds -> Nullable<Int4>,
        tokens -> Bool,
        note -> Text,
    }
}

diesel::table! {
    apps (id) {
        id -> Uuid,
        slug -> Text,
        name -> Text,
        enabled -> Bool,
        mode -> Text,
        upstream -> Nullable<Text>,
        upstream_ca -> Nullable<Text>,
        remote_user -> Text,
        header_names -> Array<Nullable<Text>>,
        also_from -> Array<Nullable<Text>>,
        app_cookies -> Array<Nullable<Text>>,
        ignore_case -> Bool,
        explain -> Text,
        max_body -> Nullable<Int8>,
        connect_ms -> Int4,
        head_ms -> Int4,
        idle_ms -> Int4,
        max_in_flight -> Int4,
        host -> Text,
        close_code -> Int4,
        source -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    audit_chain (seq) {
        seq -> Int8,
        event_id -> Int8,
        salt -> Nullable<Bytea>,
        personal -> Bytea,
        hash -> Bytea,
    }
}

diesel::table! {
    audit_checkpoints (seq) {
        seq -> Int8,
        hash -> Bytea,
        at -> Timestamptz,
    }
}

diesel::table! {
    audit_events (id) {
        id -> Int8,
        at -> Timestamptz,
        act -> Text,
        actor -> Nullable<Uuid>,
        subject -> Nullable<Uuid>,
        session -> Nullable<Uuid>,
        address -> Text,
        user_agent -> Text,
        detail -> Text,
    }
}

diesel::table! {
    ceremonies (challenge_hash) {
        challenge_hash -> Bytea,
        browser -> Bytea,
        purpose -> Text,
        state -> Jsonb,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    decoy_tokens (token_hash) {
        token_hash -> Bytea,
        account -> Uuid,
        purpose -> Text,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    group_members (group_name, user_id) {
        group_name -> Text,
        user_id -> Uuid,
        since -> Timestamptz,
        added_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    groups (name) {
        name -> Text,
        note -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    invitations (id) {
        id -> Uuid,
        token_hash -> Bytea,
        email -> Text,
        invited_by -> Uuid,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        accepted_at -> Nullable<Timestamptz>,
        withdrawn_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    known_browsers (token_hash, user_id) {
        token_hash -> Bytea,
        user_id -> Uuid,
        last_login_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    lab_runs (id) {
        id -> Uuid,
        key_hash -> Bytea,
        role -> Text,
        disabled_at -> Nullable<Timestamptz>,
        algorithm -> Text,
        signing_key -> Int4,
        oldest_key -> Int4,
        deny_list -> Text,
        split -> Bool,
        ahead_seconds -> Int8,
        steps -> Jsonb,
        step_count -> Int4,
        address -> Text,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    lab_tokens (jti) {
        jti -> Uuid,
        run -> Uuid,
        family -> Uuid,
        kind -> Text,
        issued_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
        denied_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    outbox (id) {
        id -> Uuid,
        recipient -> Text,
        subject -> Text,
        sealed_body -> Nullable<Bytea>,
        created_at -> Timestamptz,
        attempts -> Int4,
        next_attempt_at -> Timestamptz,
        expires_at -> Timestamptz,
        sent_at -> Nullable<Timestamptz>,
        last_error -> Nullable<Text>,
    }
}

diesel::table! {
    passkeys (id) {
        id -> Uuid,
        user_id -> Uuid,
        credential_id -> Bytea,
        credential -> Jsonb,
        name -> Text,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
        suspect_since -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    password_lanes (user_id, lane) {
        user_id -> Uuid,
        lane -> Text,
        failures -> Int4,
        last_at -> Timestamptz,
    }
}

diesel::table! {
    pending_logins (key_hash) {
        key_hash -> Bytea,
        user_id -> Uuid,
        proven -> Bytea,
        remember -> Bool,
        address -> Text,
        user_agent -> Text,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    recovery_codes (code_hash) {
        code_hash -> Bytea,
        user_id -> Uuid,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    registrations (token_hash) {
        token_hash -> Bytea,
        email -> Text,
        email_key -> Text,
        name -> Text,
        password_hash -> Text,
        invitation -> Nullable<Uuid>,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        browser -> Nullable<Bytea>,
    }
}

diesel::table! {
    setup_tokens (token_hash) {
        token_hash -> Bytea,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    throttles (bucket) {
        bucket -> Text,
        failures -> Int4,
        counting_since -> Timestamptz,
        blocked_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    tokens (id) {
        id -> Uuid,
        user_id -> Uuid,
        token_hash -> Bytea,
        name -> Text,
        scopes -> Array<Nullable<Text>>,
        app -> Nullable<Uuid>,
        made_by -> Nullable<Uuid>,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    totp (user_id) {
        user_id -> Uuid,
        sealed_seed -> Bytea,
        active_at -> Nullable<Timestamptz>,
        last_step -> Int8,
        failures -> Int4,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    unfinished_logins (key_hash) {
        key_hash -> Bytea,
        user_id -> Uuid,
        address -> Text,
        user_agent -> Text,
        created_at -> Timestamptz,
        due_at -> Timestamptz,
    }
}

diesel::table! {
    upkeep (name) {
        name -> Text,
        ended_at -> Timestamptz,
        rows -> Int8,
    }
}

diesel::table! {
    user_tokens (token_hash) {
        token_hash -> Bytea,
        user_id -> Uuid,
        purpose -> Text,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    users (id) {
        id -> Uuid,
        email -> Text,
        email_key -> Text,
        name -> Text,
        role -> Text,
        password_hash -> Nullable<Text>,
        password_changed_at -> Nullable<Timestamptz>,
        disabled_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        last_login_at -> Nullable<Timestamptz>,
        delete_after -> Nullable<Timestamptz>,
        email_idn_key -> Nullable<Text>,
        password_alone_since -> Nullable<Timestamptz>,
        password_alone_until -> Nullable<Timestamptz>,
    }
}

diesel::joinable!(account_links -> users (user_id));
diesel::joinable!(app_entries -> app_origins (origin));
diesel::joinable!(app_entries -> apps (app));
diesel::joinable!(app_origins -> apps (app));
diesel::joinable!(app_rules -> apps (app));
diesel::joinable!(group_members -> groups (group_name));
diesel::joinable!(invitations -> users (invited_by));
diesel::joinable!(known_browsers -> users (user_id));
diesel::joinable!(lab_tokens -> lab_runs (run));
diesel::joinable!(passkeys -> users (user_id));
diesel::joinable!(password_lanes -> users (user_id));
diesel::joinable!(pending_logins -> users (user_id));
diesel::joinable!(recovery_codes -> users (user_id));
diesel::joinable!(tokens -> apps (app));
diesel::joinable!(tokens -> users (user_id));
diesel::joinable!(totp -> users (user_id));
diesel::joinable!(unfinished_logins -> users (user_id));
diesel::joinable!(user_tokens -> users (user_id));

diesel::allow_tables_to_appear_in_same_query!(
    account_links,
    app_entries,
    app_origins,
    app_rules,
    apps,
    audit_chain,
    audit_checkpoints,
    audit_events,
    ceremonies,
    decoy_tokens,
    group_members,
    groups,
    invitations,
    known_browsers,
    lab_runs,
    lab_tokens,
    outbox,
    passkeys,
    password_lanes,
    pending_logins,
    recovery_codes,
    registrations,
    setup_tokens,
    throttles,
    tokens,
    totp,
    unfinished_logins,
    upkeep,
    user_tokens,
    users,
);
