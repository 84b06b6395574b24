CREATE TABLE users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- As typed, for emails and pages; addresses are compared by email_key.
    email text NOT NULL CHECK (length(email) <= 254),
    email_key text NOT NULL UNIQUE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'admin')),
    -- PHC string; NULL until the user has chosen a password.
    password_hash text,
    password_changed_at timestamptz,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_login_at timestamptz
);

CREATE INDEX users_created ON users (created_at DESC, id);

-- A registration whose address is not verified yet. It becomes a user when it is.
CREATE TABLE registrations (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    email text NOT NULL CHECK (length(email) <= 254),
    email_key text NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    password_hash text NOT NULL,
    invitation uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

CREATE INDEX registrations_email ON registrations (email_key);

-- Links with which an existing user can do one thing, once. One live token per user and purpose.
CREATE TABLE user_tokens (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('reset_password')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    UNIQUE (user_id, purpose)
);

-- Links that create the first administrator; deleted once there is one.
CREATE TABLE setup_tokens (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE invitations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    email text NOT NULL CHECK (length(email) <= 254),
    invited_by uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    withdrawn_at timestamptz
);

-- Attempts, counted before they are checked, so that parallel guesses are all counted.
CREATE TABLE throttles (
    bucket text PRIMARY KEY,
    failures integer NOT NULL,
    counting_since timestamptz NOT NULL,
    blocked_until timestamptz
) WITH (fillfactor = 80);

-- The audit trail, for users and administrators. An event is written in the transaction of the change.
CREATE TABLE audit_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    act text NOT NULL,
    -- The acting user and the affected account; NULL if unknown.
    actor uuid,
    subject uuid,
    session uuid,
    address text NOT NULL DEFAULT '',
    user_agent text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT ''
);

CREATE INDEX audit_events_subject ON audit_events (subject, id DESC);
CREATE INDEX audit_events_act ON audit_events (act, at);
