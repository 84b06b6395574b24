SET LOCAL lock_timeout = '3s';

DROP TABLE decoy_tokens;
DROP TABLE unfinished_logins;
ALTER TABLE registrations DROP COLUMN browser;
