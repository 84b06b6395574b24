SET LOCAL lock_timeout = '3s';

DROP INDEX account_links_reserved;
ALTER TABLE account_links DROP COLUMN email_key, DROP COLUMN since;
