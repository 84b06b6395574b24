SET LOCAL lock_timeout = '3s';

ALTER TABLE users DROP COLUMN delete_after;
