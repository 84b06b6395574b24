-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

-- Personal access tokens: what programs present at the API or at one app. A revoked token has no row.
CREATE TABLE tokens (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    -- Parts of the API. Empty for the token of an app, which opens nothing else.
    scopes text[] NOT NULL DEFAULT '{}' CHECK (array_position(scopes, NULL) IS NULL),
    app uuid REFERENCES apps ON DELETE CASCADE,
    -- The session in which it was made; NULL: the operator. No reference, because the rows of sessions are deleted earlier.
    made_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    expires_at timestamptz NOT NULL,
    CHECK ((app IS NULL) = (cardinality(scopes) > 0)),
    CHECK (expires_at > created_at AND expires_at <= created_at + interval '366 days')
) WITH (fillfactor = 80);
-- With this fillfactor and no index on last_used_at, a touch is a HOT update.

CREATE INDEX tokens_user ON tokens (user_id, created_at);
CREATE INDEX tokens_app ON tokens (app) WHERE app IS NOT NULL;
CREATE INDEX tokens_expired ON tokens (expires_at);

-- Instances cache tokens with their users, so a change is announced as a change of the user. Program versions that do not
-- know this table understand such a message. As with sessions, a new token and a touch are not announced.
CREATE TRIGGER announce_update AFTER UPDATE ON tokens FOR EACH ROW
    WHEN ((OLD.id, OLD.user_id, OLD.token_hash, OLD.name, OLD.scopes, OLD.app, OLD.made_by, OLD.created_at, OLD.expires_at)
        IS DISTINCT FROM (NEW.id, NEW.user_id, NEW.token_hash, NEW.name, NEW.scopes, NEW.app, NEW.made_by, NEW.created_at,
           NEW.expires_at)
        OR NEW.last_used_at < OLD.last_used_at)
    EXECUTE FUNCTION announce_change('user_id');

CREATE TRIGGER announce_delete AFTER DELETE ON tokens FOR EACH ROW
    WHEN (OLD.expires_at > now())
    EXECUTE FUNCTION announce_change('user_id');

CREATE TRIGGER announce_truncate AFTER TRUNCATE ON tokens EXECUTE FUNCTION announce_everything();
