CREATE INDEX sessions_principal ON sessions (principal);
DROP TABLE listeners;
DROP TRIGGER announce_update ON sessions;
DROP TRIGGER announce_delete ON sessions;
DROP TRIGGER announce_truncate ON sessions;
DROP FUNCTION announce_change();
DROP FUNCTION announce_everything();
DROP INDEX sessions_living;
