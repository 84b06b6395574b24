-- Whoever holds a row for long must not make everybody wait for us: then it is tried again.
SET LOCAL lock_timeout = '3s';

-- Instances keep sessions in memory, and the database itself says whose have changed: whoever changes them, and
-- however. One message a principal and transaction, sent when it commits (docs/decisions/cache-lease.md).
CREATE FUNCTION announce_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('latchkey', CASE
        -- Said by a transaction that changes everybody: one word instead of a million.
        WHEN current_setting('latchkey.everybody', true) = 'yes' THEN '*'
        WHEN TG_TABLE_NAME = 'users' THEN to_jsonb(OLD) ->> 'id'
        ELSE to_jsonb(OLD) ->> 'principal'
    END);
    RETURN NULL;
END $$;

CREATE FUNCTION announce_everything() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('latchkey', '*');
    RETURN NULL;
END $$;

-- NOTIFY makes commits wait for each other, so what happens all the time is silent: a new session, a touch (which
-- only ever moves time forward) and the deletion of dead rows.
CREATE TRIGGER announce_update AFTER UPDATE ON sessions FOR EACH ROW
    WHEN ((OLD.key_hash, OLD.handle, OLD.principal, OLD.state, OLD.remember, OLD.factor, OLD.address, OLD.user_agent,
           OLD.created_at, OLD.confirmed_at, OLD.revoked_at)
        IS DISTINCT FROM (NEW.key_hash, NEW.handle, NEW.principal, NEW.state, NEW.remember, NEW.factor, NEW.address,
           NEW.user_agent, NEW.created_at, NEW.confirmed_at, NEW.revoked_at)
        OR NEW.expires_at < OLD.expires_at OR NEW.last_seen_at < OLD.last_seen_at)
    EXECUTE FUNCTION announce_change();

CREATE TRIGGER announce_delete AFTER DELETE ON sessions FOR EACH ROW
    WHEN (OLD.revoked_at IS NULL AND OLD.expires_at > now())
    EXECUTE FUNCTION announce_change();

CREATE TRIGGER announce_truncate AFTER TRUNCATE ON sessions EXECUTE FUNCTION announce_everything();

-- Who may be serving sessions from memory. A revocation waits for each of them, or until its lease has run out.
CREATE TABLE listeners (
    id uuid PRIMARY KEY,
    -- Somebody waited for it in vain: it gets no new lease under this id.
    gone boolean NOT NULL DEFAULT false,
    since timestamptz NOT NULL DEFAULT now()
);

-- Only the living are looked for by their owner; the dead of a month need not be read with them.
CREATE INDEX sessions_living ON sessions (principal) WHERE revoked_at IS NULL;
-- Last, because from here on nobody reads the table until this commits.
DROP INDEX sessions_principal;
