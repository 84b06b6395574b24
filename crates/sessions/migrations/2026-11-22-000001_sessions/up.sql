-- One row per session. The key is stored as a hash, so reading this table does not let anyone log in.
CREATE TABLE sessions (
    key_hash bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),
    handle uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    principal uuid NOT NULL,
    state jsonb NOT NULL DEFAULT '{}',
    remember boolean NOT NULL DEFAULT false,
    factor text NOT NULL,
    address text NOT NULL CHECK (length(address) <= 45),
    user_agent text NOT NULL CHECK (length(user_agent) <= 400),
    created_at timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    -- least(last seen + idle timeout, created + absolute timeout)
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
) WITH (fillfactor = 80);
-- fillfactor, and no index on last_seen_at or expires_at: a touch stays a HOT update.

CREATE INDEX sessions_principal ON sessions (principal);
