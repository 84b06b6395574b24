DROP TRIGGER delete_keys ON sessions;
DROP FUNCTION delete_session_keys();
DROP TABLE session_keys;
DROP FUNCTION announce_session_key();
-- What instances have cached of the keys.
SELECT pg_notify('latchkey', '*');
