DROP TRIGGER delete_keys ON sessions;
DROP FUNCTION delete_session_keys();
DROP TABLE session_keys;
DROP FUNCTION announce_session_key();
-- Evicts the keys that instances have cached.
SELECT pg_notify('latchkey', '*');
