-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

-- since: when the event began that the link refers to, if that was before the link was created. The link undoes what was
-- added from then on.
-- email_key: for undo-email, the key of the address. No other account can have that address while the link is valid.
ALTER TABLE account_links ADD COLUMN since timestamptz, ADD COLUMN email_key text;

-- Links of older versions have no key.
CREATE INDEX account_links_reserved ON account_links (coalesce(email_key, lower(email))) WHERE purpose = 'undo-email';
