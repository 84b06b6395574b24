SET LOCAL lock_timeout = '3s';

-- When an account whose owner requested its deletion is deleted, unless the owner logs in before.
ALTER TABLE users ADD COLUMN delete_after timestamptz;

CREATE INDEX users_leaving ON users (delete_after) WHERE delete_after IS NOT NULL;
