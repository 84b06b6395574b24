-- A long-running transaction must not make every request wait for this migration: it gives up and is tried again.
SET LOCAL lock_timeout = '3s';

DROP TRIGGER announce_truncate ON passkeys;
DROP TRIGGER announce_user_update ON passkeys;
DROP TRIGGER announce_user ON passkeys;
DROP TRIGGER announce_truncate ON totp;
DROP TRIGGER announce_user_delete ON totp;
DROP TRIGGER announce_user_insert ON totp;
DROP TRIGGER announce_user_update ON totp;
DROP TABLE app_entries, app_rules, app_origins, apps, group_members, groups;
DROP FUNCTION announce_user, announce_apps;
