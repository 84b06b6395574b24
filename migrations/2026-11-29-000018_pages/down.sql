SET LOCAL lock_timeout = '3s';

ALTER TABLE users DROP COLUMN password_alone_until, DROP COLUMN password_alone_since;
