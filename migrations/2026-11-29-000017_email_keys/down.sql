DROP TRIGGER email_changed ON users;
DROP FUNCTION users_email_changed();
DROP INDEX users_idn, users_mailbox;
ALTER TABLE users DROP COLUMN email_idn_key;
