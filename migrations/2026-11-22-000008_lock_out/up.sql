-- Whoever holds a row for long must not make everybody wait for us: then it is tried again.
SET LOCAL lock_timeout = '3s';

-- Browsers in which somebody has logged in before. What proves it is kept as a hash, and opens nothing: it only chooses
-- the lane in which wrong passwords count (docs/decisions/lock-out.md).
CREATE TABLE known_browsers (
    token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    last_login_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (token_hash, user_id)
);

CREATE INDEX known_browsers_user ON known_browsers (user_id, last_login_at);

-- Wrong passwords in a row, by where they came from: 'outside', 'browser:…' or 'session:…'. They are not forgotten with
-- time, only with the right password, an unlock or a new password.
CREATE TABLE password_lanes (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    lane text NOT NULL,
    failures integer NOT NULL,
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, lane)
);

-- Mailed links about an account of which, other than resets, there may be several.
CREATE TABLE account_links (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('unlock', 'not-me', 'confirm-email', 'undo-email', 'undo-factor')),
    -- not-me: what it ends and forgets.
    session uuid,
    browser bytea,
    -- confirm-email: the new address; undo-email: the old one; not-me: the one it was sent to.
    email text CHECK (length(email) <= 254),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

CREATE INDEX account_links_user ON account_links (user_id, purpose);
