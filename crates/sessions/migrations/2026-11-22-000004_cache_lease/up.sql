-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

-- Instances cache sessions, and the database itself announces whose have changed, however they were changed. One
-- message for each principal and transaction, sent when the transaction commits.
--
-- A table of the application whose rows are cached with a session uses this function in triggers of its own, with the
-- name of the column that holds the principal as the argument: EXECUTE FUNCTION announce_change('id').
CREATE FUNCTION announce_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('latchkey', CASE
        -- Set by a transaction that ends the sessions of all principals: one message instead of a million.
        WHEN current_setting('latchkey.everybody', true) = 'yes' THEN '*'
        ELSE to_jsonb(OLD) ->> coalesce(TG_ARGV[0], 'principal')
    END);
    RETURN NULL;
END $$;

CREATE FUNCTION announce_everything() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('latchkey', '*');
    RETURN NULL;
END $$;

-- NOTIFY makes commits wait for each other, so frequent changes are not announced: a new session, a touch (which only
-- moves time forward) and the deletion of dead rows.
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

-- Instances that may be serving sessions from memory. A revocation waits for each of them, or until its lease has
-- expired.
CREATE TABLE listeners (
    id uuid PRIMARY KEY,
    -- It did not answer in time: it gets no new lease under this id.
    gone boolean NOT NULL DEFAULT false,
    since timestamptz NOT NULL DEFAULT now()
);

-- Only live sessions are looked up by principal; a month of dead ones need not be read with them.
CREATE INDEX sessions_living ON sessions (principal) WHERE revoked_at IS NULL;
-- Last: from here on, reads of the table wait until this commits.
DROP INDEX sessions_principal;
