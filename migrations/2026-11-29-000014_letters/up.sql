SET LOCAL lock_timeout = '3s';

-- SHA-256 of the cookie of the browser that registered. NULL in rows of older versions: then the page of the link asks for
-- the password.
ALTER TABLE registrations ADD COLUMN browser bytea;

-- Log-ins with the right password, in a browser that was new to the user, whose second step is not completed yet.
-- Completing it deletes the row. Otherwise the user is told at due_at, however the pending log-in ended.
CREATE TABLE unfinished_logins (
    key_hash bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    address text NOT NULL,
    user_agent text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL
);

CREATE INDEX unfinished_logins_user ON unfinished_logins (user_id);
CREATE INDEX unfinished_logins_due ON unfinished_logins (due_at);

-- Decoys, written in place of a row of user_tokens if an address has no account, so that both cases take the same time.
-- No query reads it. `account` is a keyed digest of the address.
CREATE TABLE decoy_tokens (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    account uuid NOT NULL,
    purpose text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    UNIQUE (account, purpose)
);
