-- A pending log-in: the password was verified, the second factor is next. Not a session: its key opens only the page that
-- asks for the second factor.
CREATE TABLE pending_logins (
    key_hash bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- Hash of the password hash that was verified: a changed password ends the pending log-in.
    proven bytea NOT NULL CHECK (octet_length(proven) = 32),
    remember boolean NOT NULL,
    address text NOT NULL,
    user_agent text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

CREATE INDEX pending_logins_user ON pending_logins (user_id);
CREATE INDEX pending_logins_expired ON pending_logins (expires_at);

-- Authenticator apps, RFC 6238. The seed is sealed with a key that is not in the database.
CREATE TABLE totp (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    sealed_seed bytea NOT NULL,
    -- NULL until a first code proves that the app has the seed.
    active_at timestamptz,
    -- The last accepted time step: codes of it and of earlier steps are refused.
    last_step bigint NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0 CHECK (failures BETWEEN 0 AND 10),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Unused recovery codes.
CREATE TABLE recovery_codes (
    code_hash bytea PRIMARY KEY CHECK (octet_length(code_hash) = 32),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX recovery_codes_user ON recovery_codes (user_id);
