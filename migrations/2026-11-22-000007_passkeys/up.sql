-- Public keys only: a reader of these tables cannot log in with their content.
CREATE TABLE passkeys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- The authenticator's id of the credential; WebAuthn limits its length.
    credential_id bytea NOT NULL UNIQUE CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    -- Public key, counter and flags as webauthn-rs writes them.
    credential jsonb NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    -- Its counter went back, so there may be a copy of it.
    suspect_since timestamptz
);

CREATE INDEX passkeys_user ON passkeys (user_id, created_at);

-- Open challenges. A response deletes its row.
CREATE TABLE ceremonies (
    challenge_hash bytea PRIMARY KEY CHECK (octet_length(challenge_hash) = 32),
    -- Hash of what binds the response to the browser that got the challenge: its session, or its form cookie.
    browser bytea NOT NULL CHECK (octet_length(browser) = 32),
    purpose text NOT NULL CHECK (purpose IN ('prove', 'register')),
    state jsonb NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX ceremonies_browser ON ceremonies (browser, expires_at);
