-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

-- since: when the thing began that the link is about, if that was before the link was made. What was added from then on
-- is taken back with it.
-- email_key: undo-email: what addresses are compared by. No other account can have that address while the link is valid.
ALTER TABLE account_links ADD COLUMN since timestamptz, ADD COLUMN email_key text;

-- Links made before have no key.
CREATE INDEX account_links_reserved ON account_links (coalesce(email_key, lower(email))) WHERE purpose = 'undo-email';
