-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

-- Further keys of a session. Each opens one scope of the application, on one origin, and lives as long as its session. The
-- key is stored as a hash, as in `sessions`.
CREATE TABLE session_keys (
    key_hash bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),
    session uuid NOT NULL REFERENCES sessions (handle) ON DELETE CASCADE,
    scope uuid NOT NULL,
    origin text NOT NULL CHECK (length(origin) <= 300),
    -- When the owner last proved their identity, at the time the key was opened.
    proved_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
-- With this fillfactor and no index on last_seen_at, a touch is a HOT update.

CREATE INDEX session_keys_session ON session_keys (session, scope, origin);

-- Instances cache these keys with their sessions, so a change is announced as a change of the session's principal.
-- Program versions that do not know this table understand such a message. If the session has ended, its own end was
-- announced, or it expired. The hour is for a session that looks expired here while another transaction notes its last
-- use.
CREATE FUNCTION announce_session_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('latchkey.everybody', true) = 'yes' THEN
        PERFORM pg_notify('latchkey', '*');
    ELSE
        -- Qualified, because delete_session_keys() has a search path of its own.
        EXECUTE format(
            'SELECT pg_notify(''latchkey'', principal::text) FROM %I.sessions
             WHERE handle = $1 AND revoked_at IS NULL AND expires_at > now() - interval ''1 hour''',
            TG_TABLE_SCHEMA
        ) USING OLD.session;
    END IF;
    RETURN NULL;
END $$;

-- As with sessions, a new key and a touch are not announced.
CREATE TRIGGER announce_update AFTER UPDATE ON session_keys FOR EACH ROW
    WHEN ((OLD.key_hash, OLD.session, OLD.scope, OLD.origin, OLD.proved_at, OLD.created_at)
        IS DISTINCT FROM (NEW.key_hash, NEW.session, NEW.scope, NEW.origin, NEW.proved_at, NEW.created_at)
        OR NEW.last_seen_at < OLD.last_seen_at)
    EXECUTE FUNCTION announce_session_key();

CREATE TRIGGER announce_delete AFTER DELETE ON session_keys FOR EACH ROW EXECUTE FUNCTION announce_session_key();

CREATE TRIGGER announce_truncate AFTER TRUNCATE ON session_keys EXECUTE FUNCTION announce_everything();

-- A session can end in several ways, including by hand and by older program versions. Its keys always end with it, even
-- if the role that ends it has no rights on this table yet. The function runs as the owner of the tables, so it must not
-- find a table of that role in their place: PostgreSQL searches pg_temp first unless it is named.
CREATE FUNCTION delete_session_keys() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DELETE FROM %I.session_keys WHERE session = $1', TG_TABLE_SCHEMA) USING NEW.handle;
    RETURN NULL;
END $$;

CREATE TRIGGER delete_keys AFTER UPDATE OF revoked_at ON sessions FOR EACH ROW
    WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL)
    EXECUTE FUNCTION delete_session_keys();
