-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

-- Hash of the application's cookie that identifies the browser of the log-in. NULL for sessions opened before.
ALTER TABLE sessions ADD COLUMN device bytea;
