DROP TABLE recovery_codes;
DROP TABLE totp;
DROP TABLE pending_logins;
