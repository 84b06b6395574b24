-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

-- Whose sessions these are, if an application has several kinds of principals. Each kind finds only its own. A constant
-- default rewrites no row, and older versions of a program go on writing sessions of users.
ALTER TABLE sessions ADD COLUMN kind text NOT NULL DEFAULT 'user';
