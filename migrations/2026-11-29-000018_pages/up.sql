SET LOCAL lock_timeout = '3s';

-- A passkey is the required second step after the password, unless its owner chose that the password alone goes on
-- logging in: since when, and until when if they chose otherwise later. Both stay when the choice changes, so that a
-- change can be undone. An older version knows neither column and asks for the passkey.
ALTER TABLE users ADD COLUMN password_alone_since timestamptz, ADD COLUMN password_alone_until timestamptz;
