-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

CREATE OR REPLACE FUNCTION announce_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('latchkey', CASE
        -- Said by a transaction that changes everybody: one word instead of a million.
        WHEN current_setting('latchkey.everybody', true) = 'yes' THEN '*'
        WHEN TG_TABLE_NAME IN ('users', 'lab_runs') THEN to_jsonb(OLD) ->> 'id'
        ELSE to_jsonb(OLD) ->> 'principal'
    END);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER announce_update AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.id, OLD.email, OLD.name, OLD.role, OLD.disabled_at)
        IS DISTINCT FROM (NEW.id, NEW.email, NEW.name, NEW.role, NEW.disabled_at))
    EXECUTE FUNCTION announce_change();

CREATE OR REPLACE TRIGGER announce_delete AFTER DELETE ON users FOR EACH ROW
    EXECUTE FUNCTION announce_change();

CREATE OR REPLACE TRIGGER announce_update AFTER UPDATE ON lab_runs FOR EACH ROW
    WHEN ((OLD.role, OLD.disabled_at) IS DISTINCT FROM (NEW.role, NEW.disabled_at))
    EXECUTE FUNCTION announce_change();
