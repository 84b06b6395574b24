-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

-- The triggers name the column that holds the principal. Before, the function knew the names of our tables. The other
-- part of this version, in crates/sessions, replaces the function in the same transaction.
CREATE OR REPLACE TRIGGER announce_update AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.id, OLD.email, OLD.name, OLD.role, OLD.disabled_at)
        IS DISTINCT FROM (NEW.id, NEW.email, NEW.name, NEW.role, NEW.disabled_at))
    EXECUTE FUNCTION announce_change('id');

CREATE OR REPLACE TRIGGER announce_delete AFTER DELETE ON users FOR EACH ROW
    EXECUTE FUNCTION announce_change('id');

CREATE OR REPLACE TRIGGER announce_update AFTER UPDATE ON lab_runs FOR EACH ROW
    WHEN ((OLD.role, OLD.disabled_at) IS DISTINCT FROM (NEW.role, NEW.disabled_at))
    EXECUTE FUNCTION announce_change('id');
