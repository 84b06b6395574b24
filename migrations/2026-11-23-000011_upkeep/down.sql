DROP FUNCTION audit_forget(interval, bigint);
DROP TABLE upkeep;
