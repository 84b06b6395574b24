DROP TRIGGER announce_update ON users;
DROP TRIGGER announce_delete ON users;
DROP TRIGGER announce_truncate ON users;
