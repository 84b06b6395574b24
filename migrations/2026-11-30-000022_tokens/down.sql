-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

DROP TABLE tokens;
