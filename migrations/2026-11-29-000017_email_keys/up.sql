SET LOCAL lock_timeout = '3s';

-- One mailbox has one account in every spelling of its domain (docs/decisions/email-keys.md). email_key keeps the address
-- in lower case, as versions before this one write and compare it. This is the key with the domain in its ASCII form
-- (IDNA), where that is another text. Postgres cannot do IDNA: the program fills it in.
ALTER TABLE users ADD COLUMN email_idn_key text;

CREATE UNIQUE INDEX users_mailbox ON users (coalesce(email_idn_key, email_key));

-- The few rows the program looks at when it fills the column in.
CREATE INDEX users_idn ON users (id) WHERE octet_length(email_key) <> length(email_key);

-- A version before this one that changes an address knows nothing of the column.
CREATE FUNCTION users_email_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.email_idn_key := NULL;
    RETURN NEW;
END $$;

CREATE TRIGGER email_changed BEFORE UPDATE OF email_key ON users FOR EACH ROW
    WHEN (OLD.email_key IS DISTINCT FROM NEW.email_key) EXECUTE FUNCTION users_email_changed();
