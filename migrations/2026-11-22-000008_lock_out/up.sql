-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

-- Browsers in which a user has logged in before. The token is stored as a hash and is not a credential: it only selects
-- the lane in which wrong passwords are counted (docs/decisions/lock-out.md).
CREATE TABLE known_browsers (
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    last_login_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (token_hash, user_id)
);

CREATE INDEX known_browsers_user ON known_browsers (user_id, last_login_at);

-- Consecutive wrong passwords by source: 'outside', 'browser:…' or 'session:…'. They do not expire with time; the right
-- password, an unlock or a new password deletes them.
CREATE TABLE password_lanes (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    lane text NOT NULL,
    failures integer NOT NULL,
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, lane)
);

-- Mailed links about an account. Unlike reset links, there may be several of one purpose.
CREATE TABLE account_links (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('unlock', 'not-me', 'confirm-email', 'undo-email', 'undo-factor')),
    -- not-me: the session that it ends and the browser that it forgets.
    session uuid,
    browser bytea,
    -- confirm-email: the new address; undo-email: the old address; not-me: the address that it was sent to.
    email text CHECK (length(email) <= 254),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

CREATE INDEX account_links_user ON account_links (user_id, purpose);
