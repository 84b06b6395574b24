SET LOCAL lock_timeout = '3s';

-- Somebody asked to be deleted: then they are, unless they log in before.
ALTER TABLE users ADD COLUMN delete_after timestamptz;

CREATE INDEX users_leaving ON users (delete_after) WHERE delete_after IS NOT NULL;
