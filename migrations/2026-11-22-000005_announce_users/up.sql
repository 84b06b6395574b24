-- In its own transaction: a log-in locks users before sessions, a password change the other way round.
SET LOCAL lock_timeout = '3s';

-- The columns of a user that are read with every session.
CREATE TRIGGER announce_update AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.id, OLD.email, OLD.name, OLD.role, OLD.disabled_at)
        IS DISTINCT FROM (NEW.id, NEW.email, NEW.name, NEW.role, NEW.disabled_at))
    EXECUTE FUNCTION announce_change();

CREATE TRIGGER announce_delete AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION announce_change();

CREATE TRIGGER announce_truncate AFTER TRUNCATE ON users EXECUTE FUNCTION announce_everything();
